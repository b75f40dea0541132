"""Maps and regions of a scan by a trained network.

Called as a function, the package is `predict`.
"""

from rmqnet.callable_package import callable_package

callable_package(__name__, "rmqnet.predict.predict", "predict")
