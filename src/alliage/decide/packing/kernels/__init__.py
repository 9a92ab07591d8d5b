"""The inner loop of packing: plain functions over arrays, the same answers compiled by numba or not.

Costs are whole numbers of grains, so no order of adding changes an answer. A *spot* is the exact state of a host (kind,
cpu rounded down to a cell, idle milli of each device, and what it is when empty); hosts in one spot are one *group*,
and only a host that changes is moved. A *fill value* is what a spot is worth to typical shapes, a *way* one distinct
device to share, or the only way for whole devices. Names of functions are unique over all files of this folder.
"""
