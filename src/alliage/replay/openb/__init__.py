"""Replay of placement traces in the format of Alibaba's `openb` trace: reading, the study's protocol, results.

The protocol is that of "Beware of Fragmentation" (FGD, USENIX ATC 2023): empty nodes; pods arrive one at a time and
never leave; a pod that fits nowhere is dropped.
"""
