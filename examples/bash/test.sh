#!/usr/bin/env bash
# A cluster in a shell script: kubectl against `tutti test-env`, commands by a pipe.
set -euo pipefail
cd "$(dirname "$0")"

# TUTTI is how the program is called here; installed from npm it is `npx tutti`.
coproc ENV { exec ${TUTTI:-npx tutti} test-env --nodes 2 --seed bash; }
field() { sed -E "s/.*\"$1\":\"([^\"]*)\".*/\1/"; }
tutti() {                                       # runs a command and waits for its answer
  echo "$*" >&"${ENV[1]}"
  local line
  read -r line <&"${ENV[0]}"
  case $line in
    '{"event":"done"'*) echo "$line" ;;
    *) echo "tutti $*: $line" >&2; return 1 ;;
  esac
}

read -r ready <&"${ENV[0]}"
export KUBECONFIG
KUBECONFIG=$(field kubeconfig <<<"$ready")

tutti 'image shop/web:1 {"serve":{"8080":"hello"}}' >/dev/null
kubectl create deployment web --image=shop/web:1 --replicas=2
kubectl rollout status deployment/web --timeout=30s
tutti snapshot up >/dev/null

# Ten minutes without a node take no ten minutes.
node=$(kubectl get pods -o jsonpath='{.items[0].spec.nodeName}')
tutti crash "$node" >/dev/null
tutti advance 10m >/dev/null
tutti until deployment/web status.availableReplicas=2 >/dev/null
[[ -z $(kubectl get pods --field-selector "spec.nodeName=$node,status.phase=Running" -o name \
  --ignore-not-found | xargs -r -n1 kubectl get -o jsonpath='{.metadata.deletionTimestamp}' | grep -v T || true) ]]
kubectl get pods -o wide

# And back to where it was, at the same address.
tutti reset up >/dev/null
[[ $(kubectl get deployment web -o jsonpath='{.status.availableReplicas}') == 2 ]]
kubectl get nodes | grep "^$node " | grep -qw Ready
tutti stop >/dev/null
echo passed
