module rotator.invalid/docker-clients

go 1.26.0

require (
	github.com/docker/cli v29.8.0+incompatible
	github.com/google/go-containerregistry v0.22.1
	oras.land/oras-go/v2 v2.7.0
)

require (
	github.com/docker/docker-credential-helpers v0.9.3 // indirect
	github.com/opencontainers/go-digest v1.0.0 // indirect
	github.com/opencontainers/image-spec v1.1.1 // indirect
	github.com/sirupsen/logrus v1.9.4 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
	gotest.tools/v3 v3.5.2 // indirect
)
