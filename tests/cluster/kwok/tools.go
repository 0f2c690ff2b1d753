//go:build tools

// Package kwok pins the program that plays nodes and their pods. It is a module of its own, because it
// needs an older k8s.io/kubelet than the control plane is made of.
package kwok

import _ "sigs.k8s.io/kwok/cmd/kwok"
