"""Generated workloads that are unkind to a placement rule, and a runner that says how much of them any packer hosts."""
