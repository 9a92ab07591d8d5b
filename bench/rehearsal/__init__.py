"""The rehearsal against its own pace."""
