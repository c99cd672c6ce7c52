"""The only part that knows Kubernetes or stands in for it."""
