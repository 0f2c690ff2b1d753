// Package tlsalpn01 has the options of a proof by TLS.
package tlsalpn01

import (
	"time"

	"github.com/go-acme/lego/v5/certificate"
)

// ACMETLS1Protocol is the protocol's name.
const ACMETLS1Protocol = "acme-tls/1"

// ChallengeOption changes nothing.
type ChallengeOption struct{}

// SetDelay does nothing.
func SetDelay(time.Duration) ChallengeOption { return ChallengeOption{} }

// ChallengeBlocks refuses.
func ChallengeBlocks(string, string) ([]byte, []byte, error) {
	return nil, nil, certificate.ErrNone
}
