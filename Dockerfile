# The hub as an image: `docker build -t linchpin .`; docs/operations.md says how to run it.
#   NODE_VERSION   of the official Node image, 20, 22 or 24
#   BASE           another image with node and npm, to build on and to run on
#   RUNTIME        another image to run on; it needs node alone
ARG NODE_VERSION=24
ARG BASE=docker.io/library/node:${NODE_VERSION}-bookworm-slim
ARG RUNTIME=${BASE}

FROM ${BASE} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY . .
RUN node_modules/.bin/tsc -b src \
  && mkdir /opt/linchpin \
  && npm pack --ignore-scripts --silent --pack-destination /tmp \
  && tar -xzf /tmp/linchpin-hub-*.tgz --strip-components=1 --no-same-owner -C /opt/linchpin \
  && npm prune --omit=dev --ignore-scripts \
  && mv node_modules /opt/linchpin/

FROM ${RUNTIME}
COPY --from=build /opt/linchpin /opt/linchpin
ENV NODE_ENV=production LINCHPIN_CONFIG=/etc/linchpin/linchpin.yaml
# The config and its files are mounted here; relative paths start here. The hub writes nothing.
WORKDIR /etc/linchpin
# By number, so that Kubernetes can see that it is not root.
USER 65532:65532
EXPOSE 8080 9901
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["node", "/opt/linchpin/deploy/healthcheck.js"]
ENTRYPOINT ["node", "/opt/linchpin/dist/main.js"]
CMD ["serve"]
