// Package lego makes clients that refuse.
package lego

import (
	"context"
	"crypto/x509"
	"net/http"
	"time"

	"github.com/go-acme/lego/v5/acme"
	"github.com/go-acme/lego/v5/certificate"
	"github.com/go-acme/lego/v5/challenge"
	"github.com/go-acme/lego/v5/challenge/dns01"
	"github.com/go-acme/lego/v5/challenge/http01"
	"github.com/go-acme/lego/v5/challenge/tlsalpn01"
	"github.com/go-acme/lego/v5/registration"
)

// DirectoryURLLetsEncrypt is the default of a configuration.
const DirectoryURLLetsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"

// Config of a client.
type Config struct {
	CADirURL, UserAgent string
	HTTPClient          *http.Client
	Certificate         struct{ Timeout time.Duration }
}

// Client is never made.
type Client struct {
	Certificate  *certificate.Certifier
	Challenge    Challenges
	Registration Registrar
}

// Challenges refuses.
type Challenges struct{}

// Registrar refuses.
type Registrar struct{}

// NewConfig is empty.
func NewConfig(any) *Config { return &Config{} }

// NewClient refuses.
func NewClient(*Config) (*Client, error) { return nil, certificate.ErrNone }

// CreateCertPool refuses.
func CreateCertPool([]string, bool) (*x509.CertPool, error) { return nil, certificate.ErrNone }

// SetDNS01Provider refuses.
func (Challenges) SetDNS01Provider(challenge.Provider, ...dns01.ChallengeOption) error {
	return certificate.ErrNone
}

// SetHTTP01Provider refuses.
func (Challenges) SetHTTP01Provider(challenge.Provider, ...http01.ChallengeOption) error {
	return certificate.ErrNone
}

// SetTLSALPN01Provider refuses.
func (Challenges) SetTLSALPN01Provider(challenge.Provider, ...tlsalpn01.ChallengeOption) error {
	return certificate.ErrNone
}

// Register refuses.
func (Registrar) Register(context.Context, registration.RegisterOptions) (*acme.ExtendedAccount, error) {
	return nil, certificate.ErrNone
}

// RegisterWithExternalAccountBinding refuses.
func (Registrar) RegisterWithExternalAccountBinding(context.Context, registration.RegisterEABOptions) (*acme.ExtendedAccount, error) {
	return nil, certificate.ErrNone
}
