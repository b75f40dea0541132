"""Voxel-wise fits of quantity maps.

Called as a function, the package is `fit`.
"""

from rmqnet.callable_package import callable_package

callable_package(__name__, "rmqnet.fit.fit", "fit")
