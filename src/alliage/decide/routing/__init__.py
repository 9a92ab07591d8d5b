"""routing: what one gateway knows of its replicas' work, and the replica that it expects to be done first."""
