"""Scores of maps and regions against a reference or the truth.

Called as a function, the package is `evaluate`.
"""

from rmqnet.callable_package import callable_package

callable_package(__name__, "rmqnet.evaluate.evaluate", "evaluate")
