program kubeconform github.com/yannh/kubeconform/cmd/kubeconform
