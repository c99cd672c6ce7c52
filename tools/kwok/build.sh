export GOWORK="$PWD/../kubernetes.work"
kwok=sigs.k8s.io/kwok
program kwok "$kwok/cmd/kwok"
module_file "$kwok" kustomize/stage
