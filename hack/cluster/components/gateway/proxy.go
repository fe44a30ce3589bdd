package main

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// greetingWithin is how long a client may take to say whom it wants.
	greetingWithin = 5 * time.Second
	// maxConnections bounds what clients can make it hold; more wait to be accepted.
	maxConnections = 4096
)

// table says where connections for a host name go: address and port.
type table map[string]string

// proxy passes connections on by the name in the client's greeting.
type proxy struct {
	dial     func(ctx context.Context, network, address string) (net.Conn, error)
	drain    time.Duration // how long it goes on accepting when it ends: nodes still send to it
	patience time.Duration // for open connections after that

	hosts atomic.Pointer[table]
}

// use exchanges the table; connections that stand go on.
func (p *proxy) use(t table) { p.hosts.Store(&t) }

// ready says whether it knows any table yet.
func (p *proxy) ready(*http.Request) error {
	if p.hosts.Load() == nil {
		return errors.New("the routes are not read yet")
	}
	return nil
}

// serve accepts connections until the context ends, then lets those that stand end.
func (p *proxy) serve(ctx context.Context, listener net.Listener) {
	go func() {
		<-ctx.Done()
		time.Sleep(p.drain)
		listener.Close()
	}()
	// Connections outlive the context of accepting them.
	connections, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	var open sync.WaitGroup
	slots := make(chan struct{}, maxConnections)
	for {
		slots <- struct{}{}
		client, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			break
		}
		if err != nil { // too many open files, for example: it passes
			<-slots
			time.Sleep(50 * time.Millisecond)
			continue
		}
		open.Go(func() {
			defer func() { <-slots }()
			p.pass(connections, client)
		})
	}
	time.AfterFunc(p.patience, cut)
	open.Wait()
}

// pass leads one connection to whom the client asks for. To one who asks for nobody known, or
// does not speak TLS, it says nothing.
func (p *proxy) pass(ctx context.Context, client net.Conn) {
	defer client.Close()
	stop := context.AfterFunc(ctx, func() { client.Close() })
	defer stop()
	name, greeting, err := readGreeting(client)
	hosts := p.hosts.Load()
	if err != nil || hosts == nil {
		return
	}
	address, known := (*hosts)[strings.ToLower(name)]
	if !known {
		return
	}
	server, err := p.dial(ctx, "tcp", address)
	if err != nil {
		return
	}
	defer server.Close()
	if _, err := server.Write(greeting); err != nil {
		return
	}
	splice(client, server)
}

// splice copies both ways until both have ended. When one direction ends the other side is told,
// and may still finish its answer.
func splice(a, b net.Conn) {
	var both sync.WaitGroup
	oneWay := func(to, from net.Conn) {
		_, err := io.Copy(to, from)
		half, ok := to.(interface{ CloseWrite() error })
		if err != nil || !ok || half.CloseWrite() != nil {
			to.Close()
			from.Close()
		}
	}
	both.Go(func() { oneWay(a, b) })
	both.Go(func() { oneWay(b, a) })
	both.Wait()
}

var errGreeted = errors.New("the greeting is read")

// readGreeting reads the ClientHello and returns the name in it and all bytes that were read.
// The TLS library parses it, and stops before it would answer: there is no key here.
func readGreeting(client net.Conn) (name string, greeting []byte, err error) {
	if err := client.SetReadDeadline(time.Now().Add(greetingWithin)); err != nil {
		return "", nil, err
	}
	listener := &listenOnly{Conn: client}
	err = tls.Server(listener, &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		name = hello.ServerName
		return nil, errGreeted
	}}).Handshake()
	if !errors.Is(err, errGreeted) {
		return "", nil, err
	}
	return name, listener.heard, client.SetReadDeadline(time.Time{})
}

// listenOnly keeps what it reads and says nothing.
type listenOnly struct {
	net.Conn
	heard []byte
}

func (l *listenOnly) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	l.heard = append(l.heard, b[:n]...)
	return n, err
}

func (l *listenOnly) Write(b []byte) (int, error) { return len(b), nil }
