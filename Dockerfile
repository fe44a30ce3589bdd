# Builds any program of cmd/ where Docker is; hack/images writes the same images
# without it. For example:
#   docker build --build-arg PROGRAM=operator -t registry.example.org/ejustice/operator .
FROM golang:1.26 AS build
ARG PROGRAM=operator
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w" -o /out/${PROGRAM} ./cmd/${PROGRAM} \
 && ln -s ${PROGRAM} /out/entrypoint

FROM scratch
COPY --from=build --chown=65532:65532 /out/ /
USER 65532:65532
ENV PATH=/
ENTRYPOINT ["/entrypoint"]
