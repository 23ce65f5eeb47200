// SPDX-License-Identifier: MIT

package netlinkapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// kernel is a fake module behind a transport: what it is sent, and what it
// answers. Like the real one it answers before its Send returns.
type kernel struct {
	t       *testing.T
	family  error         // of GetFamily
	answers []any         // genetlink.Message or error, in order
	hold    chan struct{} // Send returns when it is closed; nil: at once
	reply   func(m genetlink.Message) ([]genetlink.Message, error)

	mu       sync.Mutex
	sent     []genetlink.Message
	queue    chan any
	deadline chan struct{}
	once     sync.Once
}

func (k *kernel) client() *client {
	k.queue = make(chan any, len(k.answers)+1)
	k.deadline = make(chan struct{})
	return &client{dial: func() (transport, error) { return k, nil }}
}

func (k *kernel) GetFamily(string) (genetlink.Family, error) {
	return genetlink.Family{ID: 0x21}, k.family
}

func (k *kernel) Send(m genetlink.Message, family uint16, _ netlink.HeaderFlags) (netlink.Message, error) {
	if family != 0x21 {
		k.t.Errorf("family %#x", family)
	}
	k.mu.Lock()
	k.sent = append(k.sent, m)
	k.mu.Unlock()
	for _, a := range k.answers {
		k.queue <- a
	}
	if k.hold != nil {
		<-k.hold
	}
	return netlink.Message{}, nil
}

func (k *kernel) Receive() ([]genetlink.Message, []netlink.Message, error) {
	select {
	case a := <-k.queue:
		if err, ok := a.(error); ok {
			return nil, nil, err
		}
		return []genetlink.Message{a.(genetlink.Message)}, nil, nil
	case <-k.deadline:
		return nil, nil, &netlink.OpError{Op: "receive", Err: os.ErrDeadlineExceeded}
	}
}

func (k *kernel) Execute(m genetlink.Message, _ uint16, _ netlink.HeaderFlags) ([]genetlink.Message, error) {
	return k.reply(m)
}

func (k *kernel) SetReadDeadline(at time.Time) error {
	time.AfterFunc(min(time.Until(at), 50*time.Millisecond), func() { k.once.Do(func() { close(k.deadline) }) })
	return nil
}

func (k *kernel) Close() error { return nil }

func attrs(t *testing.T, fn func(ae *netlink.AttributeEncoder)) []byte {
	t.Helper()
	ae := netlink.NewAttributeEncoder()
	fn(ae)
	b, err := ae.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func sessionReply(t *testing.T, cmd uint8) genetlink.Message {
	// A descriptor that may be closed.
	fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return message(cmd, attrs(t, func(ae *netlink.AttributeEncoder) { ae.Uint32(attrSessionFD, uint32(fd)) }))
}

func event(t *testing.T, kind uint32, fn func(ae *netlink.AttributeEncoder)) genetlink.Message {
	return message(cmdEvent, attrs(t, func(ae *netlink.AttributeEncoder) {
		ae.Uint32(attrEvent, kind)
		fn(ae)
	}))
}

func stats(ae *netlink.AttributeEncoder) {
	ae.Nested(attrStats, func(nae *netlink.AttributeEncoder) error {
		nae.Uint64(statFrozenNs, 1)
		nae.Uint64(statTotalNs, 2)
		nae.Uint64(statBytes, 3)
		nae.Uint64(statTasks, 4)
		nae.Uint64(statThreads, 5)
		nae.Uint64(statPages, 6)
		nae.Uint64(99, 7) // of a newer module
		return nil
	})
}

var wantStats = Stats{1, 2, 3, 4, 5, 6}

func done(t *testing.T, errno int32) genetlink.Message {
	return event(t, eventDone, func(ae *netlink.AttributeEncoder) {
		ae.Int32(attrErrno, -errno)
		stats(ae)
	})
}

func phase(t *testing.T, name string) genetlink.Message {
	return event(t, eventPhase, func(ae *netlink.AttributeEncoder) { ae.String(attrPhase, name) })
}

func TestCheckpoint(t *testing.T) {
	k := &kernel{t: t, answers: []any{sessionReply(t, cmdCheckpoint), phase(t, "park"), phase(t, "write"), done(t, 0)}}
	var events []Event
	s, err := k.client().Checkpoint(t.Context(), &CheckpointRequest{
		PID: 7, ImageFD: 3, LogFD: -1, Flags: FlagKill, Timeout: 1500 * time.Microsecond,
		AllowLeak: []string{"tty", "pipe"}, UnlinkedMax: 1 << 30, OnEvent: func(e Event) { events = append(events, e) },
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Wait(t.Context())
	if err != nil || got != wantStats {
		t.Errorf("%+v, %v", got, err)
	}
	want := []Event{Phase{"park"}, Phase{"write"}, Done{0, wantStats}}
	if d := cmp.Diff(want, events); d != "" {
		t.Error(d)
	}
	wantAttrs := attrs(t, func(ae *netlink.AttributeEncoder) {
		ae.Uint32(attrPID, 7)
		ae.Uint32(attrImageFD, 3)
		ae.Uint32(attrFlags, FlagKill)
		ae.Uint32(attrTimeoutMs, 2)
		ae.Uint64(attrUnlinkedMax, 1<<30)
		ae.String(attrAllowLeak, "tty")
		ae.String(attrAllowLeak, "pipe")
	})
	if !bytes.Equal(k.sent[0].Data, wantAttrs) || k.sent[0].Header.Command != cmdCheckpoint {
		t.Errorf("sent %+v", k.sent[0])
	}
}

func TestRefusedAndFailed(t *testing.T) {
	refused := event(t, eventRefused, func(ae *netlink.AttributeEncoder) {
		ae.Uint32(attrTID, 9)
		ae.String(attrKindName, "aio")
		ae.String(attrMessage, "in flight")
	})
	failure := event(t, eventError, func(ae *netlink.AttributeEncoder) {
		ae.Int32(attrErrno, -28)
		ae.String(attrMessage, "disk full")
	})
	k := &kernel{t: t, answers: []any{sessionReply(t, cmdCheckpoint), refused, failure, done(t, 95)}}
	s, err := k.client().Checkpoint(t.Context(), &CheckpointRequest{PID: 7, LogFD: -1})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Wait(t.Context())
	var oe *OperationError
	if !errors.As(err, &oe) || !errors.Is(err, unix.EOPNOTSUPP) {
		t.Fatal(err)
	}
	want := &OperationError{Errno: unix.EOPNOTSUPP, Refused: []Refused{{9, "aio", "in flight"}},
		Failures: []Failure{{0, 28, "disk full"}}}
	if d := cmp.Diff(want, oe); d != "" {
		t.Error(d)
	}
}

func TestRequestErrors(t *testing.T) {
	k := &kernel{t: t, family: os.ErrNotExist}
	if _, err := k.client().Caps(t.Context()); !errors.Is(err, ErrNotLoaded) {
		t.Errorf("no family: %v", err)
	}
	k = &kernel{t: t, answers: []any{&netlink.OpError{Op: "receive", Err: unix.ESRCH, Message: "no such process", Sequence: 5}}}
	_, err := k.client().Checkpoint(t.Context(), &CheckpointRequest{PID: 7, LogFD: -1})
	var re *RequestError
	if !errors.As(err, &re) || re.Message != "no such process" || !errors.Is(err, unix.ESRCH) {
		t.Errorf("%v", err)
	}
	k = &kernel{t: t}
	if _, err := k.client().Restart(t.Context(), &RestartRequest{Timeout: -1}); err == nil {
		t.Error("negative timeout")
	}
}

// TestLostEvents: the socket overflows and the last event is lost, so STATUS
// must tell the result.
func TestLostEvents(t *testing.T) {
	overflow := &netlink.OpError{Op: "receive", Err: os.NewSyscallError("recvmsg", unix.ENOBUFS)}
	k := &kernel{t: t, answers: []any{sessionReply(t, cmdCheckpoint), overflow}}
	k.reply = func(m genetlink.Message) ([]genetlink.Message, error) {
		if m.Header.Command != cmdStatus {
			t.Errorf("command %d", m.Header.Command)
		}
		return []genetlink.Message{message(cmdStatus, attrs(t, func(ae *netlink.AttributeEncoder) {
			ae.Uint32(attrState, stateDone)
			ae.Int32(attrErrno, -int32(unix.EIO))
			stats(ae)
		}))}, nil
	}
	s, err := k.client().Checkpoint(t.Context(), &CheckpointRequest{PID: 7, LogFD: -1})
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Wait(t.Context())
	var oe *OperationError
	if !errors.As(err, &oe) || !oe.Lost || oe.Errno != unix.EIO || got != wantStats {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestAbort: the end of the context closes the session, which ends the send.
func TestAbort(t *testing.T) {
	reply := sessionReply(t, cmdRestart)
	k := &kernel{t: t, hold: make(chan struct{}), answers: []any{reply}}
	s, err := k.client().Restart(t.Context(), &RestartRequest{Tasks: 1, LogFD: -1})
	if err != nil {
		t.Fatal(err)
	}
	fd := s.FD()
	go func() { // the kernel sees that the descriptor is gone
		for {
			if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
		k.queue <- done(t, int32(unix.ECANCELED))
		close(k.hold)
	}()
	cause := errors.New("cause")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(10*time.Millisecond, func() { cancel(cause) })
	if _, err := s.Wait(ctx); !errors.Is(err, cause) {
		t.Errorf("%v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestPrepareFails(t *testing.T) {
	k := &kernel{t: t}
	cause := errors.New("no such directory")
	_, err := k.client().Restart(t.Context(), &RestartRequest{LogFD: -1, Prepare: func() (func(), error) { return nil, cause }})
	if !errors.Is(err, cause) || len(k.sent) != 0 {
		t.Errorf("%v, sent %v", err, k.sent)
	}
}

func TestCaps(t *testing.T) {
	k := &kernel{t: t}
	k.reply = func(genetlink.Message) ([]genetlink.Message, error) {
		kind := func(name string, status uint32) genetlink.Message {
			return message(cmdCaps, attrs(t, func(ae *netlink.AttributeEncoder) {
				ae.String(attrKindName, name)
				ae.Uint32(attrKindStatus, status)
				ae.String(attrKindText, "text")
			}))
		}
		return []genetlink.Message{message(cmdCaps, attrs(t, func(ae *netlink.AttributeEncoder) {
			ae.String(attrVersion, "0.1.0")
			ae.Uint32(attrImageVersion, 1)
			ae.String(attrKernel, "6.1")
			ae.Uint32(attrSymbols, 50)
		})), kind("pipe", kindHandled), kind("aio", kindRefused)}, nil
	}
	got, err := k.client().Caps(t.Context())
	want := &Caps{"0.1.0", 1, "6.1", 50, []Kind{{"pipe", true, "text"}, {"aio", false, "text"}}}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Error(err, d)
	}
}

func TestJoinMessage(t *testing.T) {
	b := joinMessage(0x21, 5, 100)
	var m netlink.Message
	if err := m.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
	if int(m.Header.Length) != len(b) || m.Header.Type != 0x21 || m.Header.Flags != netlink.Request {
		t.Errorf("%+v", m.Header)
	}
	want := attrs(t, func(ae *netlink.AttributeEncoder) {
		ae.Uint32(attrSessionFD, 5)
		ae.Uint32(attrPID, 100)
	})
	if m.Data[0] != cmdJoin || m.Data[1] != genlVersion || !bytes.Equal(m.Data[4:], want) {
		t.Errorf("% x", m.Data)
	}
}

func TestInherit(t *testing.T) {
	b, err := (&RestartRequest{ImageFD: 3, StreamPos: 1 << 33, StreamCRC: 4, Tasks: 5, LogFD: 6,
		Inherit: []Inherit{{7, 8}}}).encode()
	if err != nil {
		t.Fatal(err)
	}
	var got []uint64
	err = decode(b, func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case attrStreamPos:
			got = append(got, ad.Uint64())
		case attrInherit:
			ad.Nested(func(nad *netlink.AttributeDecoder) error {
				for nad.Next() {
					got = append(got, uint64(nad.Uint32()))
				}
				return nil
			})
		default:
			got = append(got, uint64(ad.Uint32()))
		}
	})
	if d := cmp.Diff([]uint64{3, 1 << 33, 4, 5, 6, 7, 8}, got); d != "" || err != nil {
		t.Error(err, d)
	}
}

// TestRealKernel looks the family up in the kernel that runs the tests.
func TestRealKernel(t *testing.T) {
	caps, err := New().Caps(t.Context())
	if err == nil && caps.Version == "" || err != nil && !errors.Is(err, ErrNotLoaded) && !errors.Is(err, unix.EPERM) {
		t.Errorf("%+v, %v", caps, err)
	}
}

// TestContract tells when the header has changed and contract_gen.go has not.
func TestContract(t *testing.T) {
	src, err := os.ReadFile("contract_gen.go")
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "contract_gen.go")
	cmd := exec.Command("go", "run", "crctl/internal/gencontract", "-enums",
		"-header", "../kmod/uapi/ckpt.h", "-o", out, "-pkg", "netlinkapi")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if fresh, err := os.ReadFile(out); err != nil || !bytes.Equal(src, fresh) {
		t.Errorf("contract_gen.go is stale: run go generate ./netlinkapi (%v)", err)
	}
}

func ExampleOperationError() {
	fmt.Println(&OperationError{Errno: unix.ENOSPC})
	// Output: no space left on device
}
