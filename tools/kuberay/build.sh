kuberay=github.com/ray-project/kuberay/ray-operator
program ray-operator "$kuberay"
module_file "$kuberay" config
