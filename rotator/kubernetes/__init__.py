"""What the two Kubernetes targets share: kubeconfig, login, connection and errors."""
