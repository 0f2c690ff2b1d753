//go:build tools

// Package gateway pins the gateway that stands before the Services of a test cluster, and the
// definitions of the Gateway API. It is a module of its own, because of what go.mod replaces.
package gateway

import (
	_ "github.com/traefik/traefik/v3/cmd/traefik"
	_ "sigs.k8s.io/gateway-api/apis/v1"
)
