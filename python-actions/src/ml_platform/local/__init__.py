"""One machine without a cluster: what Argo CD, Kueue and KubeRay do elsewhere."""
