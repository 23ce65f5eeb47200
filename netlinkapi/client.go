// SPDX-License-Identifier: MIT

// Package netlinkapi talks to the generic netlink family "ckpt" of ckpt.ko with
// plain Go types. kmod/uapi/ckpt.h is the contract that it follows.
//
// An operation is a Session: the kernel works inside the send call of a thread
// of its own, while another reads events. Everything that the kernel reports
// comes back as an error of this package: see ErrNotLoaded and OperationError.
package netlinkapi

import (
	"context"
	"time"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
)

// Client starts operations. Callers that only need a part of it, and tests,
// make their own. Its methods are safe for concurrent use.
type Client interface {
	// Caps tells what the loaded module can do.
	Caps(ctx context.Context) (*Caps, error)
	// Checkpoint starts a session that saves processes.
	Checkpoint(ctx context.Context, req *CheckpointRequest) (Session, error)
	// Restart starts a session that restores them. It waits for its tasks
	// to send the JoinMessage of the session.
	Restart(ctx context.Context, req *RestartRequest) (Session, error)
}

// Session is an operation that has begun.
type Session interface {
	// FD is the descriptor whose last copy keeps the operation alive.
	FD() int
	// JoinMessage is a whole netlink message that makes the process that
	// sends it the process pid of a restart.
	JoinMessage(pid int) []byte
	// Wait returns when the operation is over, and its result. If ctx ends
	// first, it aborts the operation, waits until the kernel has undone it and
	// returns the cause. A failure of the operation is an *OperationError.
	Wait(ctx context.Context) (Stats, error)
	// Close aborts the operation unless it is over. It may be called
	// again, and while Wait waits.
	Close() error
}

// CheckpointRequest is what CHECKPOINT asks for.
type CheckpointRequest struct {
	PID       int           // root of the tree, in the caller's pid namespace; or
	CgroupFD  int           // directory of a cgroup v2, where PID is 0
	ImageFD   int           // not looked at with FlagCheck
	LogFD     int           // negative: none
	Flags     uint32        // Flag*
	Timeout   time.Duration // for parking; 0: the module's default
	AllowLeak []string      // kinds that may be shared with processes outside
	// UnlinkedMax is how many bytes a removed file may have; 0: the module's default.
	UnlinkedMax uint64
	OnEvent     func(Event) // called for every event, from one goroutine; may be nil
	// Prepare is as in RestartRequest.
	Prepare func() (undo func(), err error)
}

// RestartRequest is what RESTART asks for.
type RestartRequest struct {
	ImageFD   int
	StreamPos uint64 // bytes of the image already read
	StreamCRC uint32 // checksum state there
	Tasks     int    // processes that are going to join
	LogFD     int    // negative: none
	Flags     uint32
	Timeout   time.Duration // for joining; 0: the module's default
	Inherit   []Inherit
	OnEvent   func(Event)
	// Prepare runs on the thread that the kernel works in, before it sends.
	// The thread ends with the session, so it may change its root. May be nil.
	// What it returns, if not nil, runs there when the kernel is done.
	Prepare func() (undo func(), err error)
}

// Inherit replaces a file object of the image by a descriptor of the caller.
type Inherit struct {
	Objref uint32
	FD     int
}

// Stats are the figures of an operation, as the kernel counted them.
type Stats struct {
	FrozenNS uint64 `json:"frozen_ns"` // first task parked to last released
	TotalNS  uint64 `json:"total_ns"`  // the whole operation in the kernel
	Bytes    uint64 `json:"bytes"`     // of the image
	Tasks    uint64 `json:"tasks"`     // processes
	Threads  uint64 `json:"threads"`
	Pages    uint64 `json:"pages"` // with data in the image
}

// Caps is what the module says about itself.
type Caps struct {
	Version      string `json:"version"`
	ImageVersion uint32 `json:"image_version"`
	Kernel       string `json:"kernel"`  // release that it was built for
	Symbols      uint32 `json:"symbols"` // unexported symbols it found
	Kinds        []Kind `json:"kinds"`
}

// Kind is a kind of resource.
type Kind struct {
	Name    string `json:"name"`
	Handled bool   `json:"handled"` // saved; otherwise refused
	Text    string `json:"text"`    // what is saved, or why it is refused
}

// transport is the part of a genetlink.Conn that a client uses.
type transport interface {
	GetFamily(name string) (genetlink.Family, error)
	Send(m genetlink.Message, family uint16, flags netlink.HeaderFlags) (netlink.Message, error)
	Receive() ([]genetlink.Message, []netlink.Message, error)
	Execute(m genetlink.Message, family uint16, flags netlink.HeaderFlags) ([]genetlink.Message, error)
	SetReadDeadline(t time.Time) error
	Close() error
}

type client struct {
	dial func() (transport, error)
}

// New returns a Client for the kernel that runs. It opens sockets as it needs
// them: one for each session, because events go to the port that began it.
func New() Client { return &client{dial: dialKernel} }

// receiveBuffer holds the events of a burst, in bytes; one is about 200.
const receiveBuffer = 4 << 20

func dialKernel() (transport, error) {
	conn, err := genetlink.Dial(nil)
	if err != nil {
		return nil, err
	}
	// Both only improve messages: an old kernel or a small limit is no failure.
	_ = conn.SetOption(netlink.ExtendedAcknowledge, true)
	_ = conn.SetReadBuffer(receiveBuffer)
	return conn, nil
}

// open dials and looks the family up.
func (c *client) open() (transport, uint16, error) {
	conn, err := c.dial()
	if err != nil {
		return nil, 0, mapError("open netlink socket", err)
	}
	family, err := conn.GetFamily(genlName)
	if err != nil {
		_ = conn.Close()
		return nil, 0, mapFamilyError(err)
	}
	return conn, family.ID, nil
}

// execute sends one request that is answered at once and returns the answer.
func (c *client) execute(ctx context.Context, cmd uint8, attrs []byte, flags netlink.HeaderFlags) ([]genetlink.Message, error) {
	conn, family, err := c.open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetReadDeadline(deadline)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	msgs, err := conn.Execute(message(cmd, attrs), family, netlink.Request|flags)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, mapError(commandName(cmd), err)
	}
	return msgs, nil
}

// Caps implements Client.
func (c *client) Caps(ctx context.Context) (*Caps, error) {
	msgs, err := c.execute(ctx, cmdCaps, nil, netlink.Dump)
	if err != nil {
		return nil, err
	}
	return decodeCaps(msgs)
}

// status asks how a session stands.
func (c *client) status(ctx context.Context, fd int) (*status, error) {
	attrs, err := encodeStatus(fd)
	if err != nil {
		return nil, err
	}
	msgs, err := c.execute(ctx, cmdStatus, attrs, 0)
	if err != nil {
		return nil, err
	}
	return decodeStatus(msgs)
}

// Checkpoint implements Client.
func (c *client) Checkpoint(ctx context.Context, req *CheckpointRequest) (Session, error) {
	attrs, err := req.encode()
	if err != nil {
		return nil, err
	}
	return c.start(ctx, cmdCheckpoint, attrs, req.OnEvent, req.Prepare)
}

// Restart implements Client.
func (c *client) Restart(ctx context.Context, req *RestartRequest) (Session, error) {
	attrs, err := req.encode()
	if err != nil {
		return nil, err
	}
	return c.start(ctx, cmdRestart, attrs, req.OnEvent, req.Prepare)
}
