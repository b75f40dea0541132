"""Puts this folder on the import path: model_cases.py serves several folders of tests."""
