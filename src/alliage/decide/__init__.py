"""Floor 4: the decisions, all pure: plan, bind, route, and their reasons."""
