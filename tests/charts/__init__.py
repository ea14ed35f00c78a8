"""The charts without a cluster: rendered by Helm, then asserted as typed Kubernetes objects."""
