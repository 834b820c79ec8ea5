# rightsize in an image with nothing around it: a static binary, and the certificates that Slack is checked by.
#
#   docker build --tag ghcr.io/rightsize/rightsize:v0.1.0 --build-arg VERSION=v0.1.0 .
#
# Without VERSION it says the commit, which Go reads from .git: build in a clone, not in a bare folder or a worktree.
FROM --platform=$BUILDPLATFORM golang:1.26.8 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=""
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -buildvcs=true -trimpath -ldflags "-s -w -X main.release=$VERSION" -o /out/rightsize ./cmd/rightsize

FROM scratch
ARG VERSION=""
LABEL org.opencontainers.image.title="rightsize" \
      org.opencontainers.image.description="Recommends resource requests and limits from what Prometheus saw containers use" \
      org.opencontainers.image.source="https://github.com/rightsize/rightsize" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/rightsize /rightsize
USER 65532:65532
ENTRYPOINT ["/rightsize"]
