// Package challenge has what proves that a name is one's own.
package challenge

import "context"

// Provider proves it.
type Provider interface {
	Present(ctx context.Context, domain, token, keyAuth string) error
	CleanUp(ctx context.Context, domain, token, keyAuth string) error
}
