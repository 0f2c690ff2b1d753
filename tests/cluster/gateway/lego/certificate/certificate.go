// Package certificate obtains nothing.
package certificate

import (
	"context"
	"errors"

	"github.com/go-acme/lego/v5/certcrypto"
)

// ErrNone is the answer to every question.
var ErrNone = errors.New("this gateway was built without a client for certificate authorities")

// Resource is a certificate.
type Resource struct {
	ID                      string
	Domains                 []string
	PrivateKey, Certificate []byte
}

// ObtainRequest says which certificate is wanted.
type ObtainRequest struct {
	Domains, EmailAddresses  []string
	KeyType                  certcrypto.KeyType
	Profile, PreferredChain  string
	Bundle, EnableCommonName bool
}

// RenewOptions says how it is to be renewed.
type RenewOptions struct {
	EmailAddresses           []string
	Profile, PreferredChain  string
	Bundle, EnableCommonName bool
}

// Certifier refuses.
type Certifier struct{}

// Obtain refuses.
func (*Certifier) Obtain(context.Context, ObtainRequest) (*Resource, error) { return nil, ErrNone }

// Renew refuses.
func (*Certifier) Renew(context.Context, Resource, *RenewOptions) (*Resource, error) {
	return nil, ErrNone
}
