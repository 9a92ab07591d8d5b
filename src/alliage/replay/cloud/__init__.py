"""Replay of a whole cloud: the real control loop, desk, store and routing on a virtual clock, over engines that keep time."""
