// Package ext stands for the extension points of the makers' other product: they are empty.
package ext

// HTTP is empty.
type HTTP struct{}

// Router is empty.
type Router struct{}
