// SPDX-License-Identifier: MIT

package netlinkapi

import (
	"fmt"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
)

// Event is a report of a session: one of Phase, Refused, Failure and Done.
type Event interface{ event() }

// Phase tells that a part of the work begins.
type Phase struct{ Name string }

// Refused is a resource that stops a checkpoint, or that a restart cannot
// bring back here.
type Refused struct {
	TID     int // task that has it, 0: none
	Kind    string
	Message string
}

// Failure is an error that is not a refusal.
type Failure struct {
	TID     int // task that it is about, 0: none
	Errno   int // positive errno
	Message string
}

// Done is the last event of a session.
type Done struct {
	Errno int // 0, or a positive errno
	Stats Stats
}

func (Phase) event()   {}
func (Refused) event() {}
func (Failure) event() {}
func (Done) event()    {}

func decodeEvent(m genetlink.Message) (Event, error) {
	var (
		kind, tid            uint32
		errno                int
		phase, name, message string
		stats                Stats
	)
	err := decode(m.Data, func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case attrEvent:
			kind = ad.Uint32()
		case attrPhase:
			phase = ad.String()
		case attrTID:
			tid = ad.Uint32()
		case attrKindName:
			name = ad.String()
		case attrMessage:
			message = ad.String()
		case attrErrno:
			errno = -int(ad.Int32())
		case attrStats:
			decodeStats(ad, &stats)
		}
	})
	if err != nil {
		return nil, err
	}
	switch kind {
	case eventPhase:
		return Phase{phase}, nil
	case eventRefused:
		return Refused{int(tid), name, message}, nil
	case eventError:
		return Failure{int(tid), errno, message}, nil
	case eventDone:
		return Done{errno, stats}, nil
	}
	return nil, fmt.Errorf("unknown event %d of the module", kind)
}
