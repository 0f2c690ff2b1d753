// Package http01 has the options of a proof by HTTP.
package http01

import "time"

// PathPrefix is where the proof is looked for.
const PathPrefix = "/.well-known/acme-challenge/"

// ChallengeOption changes nothing.
type ChallengeOption struct{}

// SetDelay does nothing.
func SetDelay(time.Duration) ChallengeOption { return ChallengeOption{} }
