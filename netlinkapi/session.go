// SPDX-License-Identifier: MIT

package netlinkapi

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// lastEvents is how long events may take once the send call is back. They are
// queued before it returns, so what is not there then is lost.
const lastEvents = time.Second

// session implements Session. Two goroutines work for it: one sends and so
// lends its thread to the kernel, the other receives until the end.
type session struct {
	client  *client
	conn    transport
	family  uint16
	onEvent func(Event)

	fd      int           // set before ready is closed
	ready   chan struct{} // the kernel has answered with a descriptor
	done    chan struct{} // both goroutines are done: what follows is final
	close   sync.Once
	mu      sync.Mutex // guards what follows until done
	request error      // the request was turned down
	sent    error      // the send call failed
	result  *Done
	failed  OperationError
}

// start sends cmd and returns as soon as there is a session.
func (c *client) start(ctx context.Context, cmd uint8, attrs []byte, onEvent func(Event),
	prepare func() (func(), error)) (Session, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	conn, family, err := c.open()
	if err != nil {
		return nil, err
	}
	if onEvent == nil {
		onEvent = func(Event) {}
	}
	s := &session{
		client: c, conn: conn, family: family, onEvent: onEvent,
		fd: -1, ready: make(chan struct{}), done: make(chan struct{}),
	}
	sendDone := make(chan struct{})
	go func() {
		defer close(sendDone)
		s.send(message(cmd, attrs), prepare)
	}()
	go func() {
		defer close(s.done)
		s.receive(cmd)
		<-sendDone
		_ = conn.Close()
	}()
	select {
	case <-s.ready:
		return s, nil
	case <-s.done:
	}
	select {
	case <-s.ready: // both: it is over already
		return s, nil
	default:
	}
	if s.request != nil {
		return nil, mapError(commandName(cmd), s.request)
	}
	if s.sent != nil {
		return nil, mapError(commandName(cmd), s.sent)
	}
	return nil, ErrSessionLost
}

// send is where the kernel works. Its thread is not given back to Go, because
// prepare may have changed it.
func (s *session) send(m genetlink.Message, prepare func() (func(), error)) {
	runtime.LockOSThread()
	var undo func()
	err := error(nil)
	if prepare != nil {
		undo, err = prepare()
	} else {
		defer runtime.UnlockOSThread()
	}
	if err == nil {
		_, err = s.conn.Send(m, s.family, netlink.Request)
	}
	if undo != nil {
		undo()
	}
	s.mu.Lock()
	s.sent = err
	s.mu.Unlock()
	wait := lastEvents
	if err != nil {
		wait = 0
	}
	_ = s.conn.SetReadDeadline(time.Now().Add(wait))
}

// receive dispatches messages until the last one, an error, or the deadline.
func (s *session) receive(cmd uint8) {
	for {
		msgs, _, err := s.conn.Receive()
		if err != nil {
			if !s.receiveFailed(err) {
				return
			}
			continue
		}
		for _, m := range msgs {
			if s.dispatch(cmd, m) {
				return
			}
		}
	}
}

// receiveFailed tells whether to go on after an error of Receive.
func (s *session) receiveFailed(err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	var oe *netlink.OpError
	if errors.As(err, &oe) && oe.Sequence != 0 {
		s.request = err
		return false
	}
	if errors.Is(err, unix.ENOBUFS) {
		// The socket's buffer was full: STATUS tells the result later.
		s.failed.Lost = true
		return true
	}
	return errors.Is(err, unix.EINTR)
}

// dispatch handles one message and tells whether it was the last.
func (s *session) dispatch(cmd uint8, m genetlink.Message) bool {
	switch m.Header.Command {
	case cmd:
		fd, err := decodeSessionFD(m)
		s.mu.Lock()
		defer s.mu.Unlock()
		if err != nil {
			s.request = err
			return true
		}
		if s.fd < 0 {
			s.fd = fd
			close(s.ready)
		}
	case cmdEvent:
		ev, err := decodeEvent(m)
		if err != nil {
			ev = Failure{Message: err.Error()}
		}
		s.onEvent(ev)
		s.mu.Lock()
		defer s.mu.Unlock()
		switch e := ev.(type) {
		case Refused:
			s.failed.Refused = append(s.failed.Refused, e)
		case Failure:
			s.failed.Failures = append(s.failed.Failures, e)
		case Done:
			s.result = &e
			return true
		}
	}
	return false
}

// FD implements Session.
func (s *session) FD() int { return s.fd }

// JoinMessage implements Session.
func (s *session) JoinMessage(pid int) []byte { return joinMessage(s.family, s.fd, pid) }

// Close implements Session.
func (s *session) Close() error {
	err := error(nil)
	s.close.Do(func() { err = unix.Close(s.fd) })
	return err
}

// Wait implements Session.
func (s *session) Wait(ctx context.Context) (Stats, error) {
	select {
	case <-s.done:
	case <-ctx.Done():
		_ = s.Close()
		<-s.done
		if s.result == nil || s.result.Errno != 0 {
			return s.stats(), context.Cause(ctx)
		}
	}
	if s.result == nil {
		st, err := s.client.status(context.Background(), s.fd)
		if err != nil {
			return Stats{}, errors.Join(ErrSessionLost, err)
		}
		if st.state != stateDone {
			return st.stats, ErrSessionLost
		}
		s.result = &Done{Errno: st.errno, Stats: st.stats}
	}
	_ = s.Close()
	if s.result.Errno == 0 {
		return s.result.Stats, nil
	}
	s.failed.Errno = syscall.Errno(s.result.Errno)
	return s.result.Stats, &s.failed
}

func (s *session) stats() Stats {
	if s.result == nil {
		return Stats{}
	}
	return s.result.Stats
}
