export GOWORK="$PWD/../kubernetes.work"
# Without these the programs call themselves v0.0.0-master, and clients that ask for a version balk.
version="-X k8s.io/component-base/version.gitVersion=v1.36.3 -X k8s.io/component-base/version.gitMajor=1
  -X k8s.io/component-base/version.gitMinor=36 -X k8s.io/client-go/pkg/version.gitVersion=v1.36.3"
version=$(echo "$version" | tr -d '\n')
for name in kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl; do
  program "$name" "k8s.io/kubernetes/cmd/$name" "$version"
done
