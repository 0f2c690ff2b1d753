// Package acme has what an account is stored as.
package acme

// Account is never filled here.
type Account struct{}

// ExtendedAccount is never filled here.
type ExtendedAccount struct {
	Account

	Location string
}
