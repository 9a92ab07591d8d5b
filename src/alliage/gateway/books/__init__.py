"""What each request used: its account, the journal that outlives the process, and the telling of control."""
