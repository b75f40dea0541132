"""Simulated knees and their scans.

Called as a function, the package is `simulate_subject`.
"""

from rmqnet.callable_package import callable_package

callable_package(__name__, "rmqnet.simulate.simulate", "simulate_subject")
