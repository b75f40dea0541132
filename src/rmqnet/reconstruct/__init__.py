"""Images from k-space.

Called as a function, the package is `reconstruct`.
"""

from rmqnet.callable_package import callable_package

callable_package(__name__, "rmqnet.reconstruct.reconstruct", "reconstruct")
