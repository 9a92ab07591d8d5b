"""The admin HTTP API, served by the control process."""
