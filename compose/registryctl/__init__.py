"""The registry's parent: starts it, ends with it, and alone may put it aside to collect garbage.

Standard library only, and little of it: it waits in memory for as long as the instance runs.
"""
