#!/usr/bin/env bash
# Writes the generated files: deepcopy and apply configurations of api/v1alpha1, the CRDs in
# config/crd, and the parts of charts/ejustice-operator that are the same as in config.
# With --check nothing is written; it fails and names the files that are out of date.
set -euo pipefail
cd "$(dirname "$0")/.."

generate() { # generate <output root>
	local out=$1
	mkdir -p "$out/config/crd" "$out/api/v1alpha1"
	go tool -modfile=hack/tools/go.mod controller-gen \
		object crd:generateEmbeddedObjectMeta=false applyconfiguration \
		paths=./api/v1alpha1 \
		output:object:dir="$out/api/v1alpha1" \
		output:crd:dir="$out/config/crd" \
		output:applyconfiguration:dir="$out/api/v1alpha1"

	local files=$out/charts/ejustice-operator/files
	mkdir -p "$files"
	for crd in "$out"/config/crd/ejustice.dev_*.yaml; do
		# The annotation is what config/crd/kustomization.yaml adds.
		sed '0,/^  annotations:/s//  annotations:\n    helm.sh\/resource-policy: keep/' "$crd" >"$files/crd-$(basename "$crd")"
	done
	for file in config/rbac/*.yaml config/admission/*.yaml config/manager/networkpolicy.yaml; do
		[[ $file == */kustomization.yaml ]] && continue
		file=${file#config/}
		cp "config/$file" "$files/${file/\//-}"
	done
}

if [[ "${1:-}" == "--check" ]]; then
	tmp=$(mktemp -d)
	trap 'rm -rf "$tmp"' EXIT
	generate "$tmp"
	stale=0
	while IFS= read -r file; do
		if ! diff -q "$tmp/$file" "$file" >/dev/null 2>&1; then
			echo "out of date: $file (run hack/generate.sh)" >&2
			stale=1
		fi
	done < <(cd "$tmp" && find . -type f | sed 's|^\./||' | sort)
	exit $stale
fi
generate .
