export GOWORK="$PWD/../kubernetes.work"
kueue=sigs.k8s.io/kueue
program kueue "$kueue/cmd/kueue"
module_file "$kueue" config
