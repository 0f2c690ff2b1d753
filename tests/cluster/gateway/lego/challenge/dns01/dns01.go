// Package dns01 has the options of a proof by DNS.
package dns01

import (
	"strings"
	"time"
)

// Options of the client.
type Options struct{ RecursiveNameservers []string }

// Client asks nobody.
type Client struct{}

// ChallengeOption changes nothing.
type ChallengeOption struct{}

// NewClient asks nobody.
func NewClient(*Options) *Client { return &Client{} }

// SetDefaultClient does nothing.
func SetDefaultClient(*Client) {}

// CondOptions does nothing.
func CondOptions(bool, ...ChallengeOption) ChallengeOption { return ChallengeOption{} }

// DisableAuthoritativeNssPropagationRequirement does nothing.
func DisableAuthoritativeNssPropagationRequirement() ChallengeOption { return ChallengeOption{} }

// DisableRecursiveNSsPropagationRequirement does nothing.
func DisableRecursiveNSsPropagationRequirement() ChallengeOption { return ChallengeOption{} }

// PropagationWait does nothing.
func PropagationWait(time.Duration, bool) ChallengeOption { return ChallengeOption{} }

// UnFqdn takes away the last dot.
func UnFqdn(name string) string { return strings.TrimSuffix(name, ".") }
