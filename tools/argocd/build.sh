argocd=github.com/argoproj/argo-cd/v3
program argocd "$argocd/cmd" "-X $argocd/common.version=3.6.1"
# The repo server calls the two scripts by name, even where signatures are not checked.
module_file "$argocd" manifests hack/git-verify-wrapper.sh hack/gpg-wrapper.sh
