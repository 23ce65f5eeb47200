// SPDX-License-Identifier: MIT

package netlinkapi

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
)

// genlName is CKPT_GENL_NAME.
const genlName = "ckpt"

func message(cmd uint8, attrs []byte) genetlink.Message {
	return genetlink.Message{
		Header: genetlink.Header{Command: cmd, Version: genlVersion},
		Data:   attrs,
	}
}

// millis turns a timeout into CKPT_A_TIMEOUT_MS, at least 1 if there is any.
func millis(d time.Duration) (uint32, error) {
	ms := (d + time.Millisecond - 1) / time.Millisecond
	if d < 0 || ms > math.MaxInt32 {
		return 0, fmt.Errorf("timeout %v is out of range", d)
	}
	return uint32(ms), nil
}

func (r *CheckpointRequest) encode() ([]byte, error) {
	ms, err := millis(r.Timeout)
	if err != nil {
		return nil, err
	}
	ae := netlink.NewAttributeEncoder()
	if r.PID != 0 {
		ae.Uint32(attrPID, uint32(r.PID))
	} else {
		ae.Uint32(attrCgroupFD, uint32(r.CgroupFD))
	}
	if r.Flags&FlagCheck == 0 {
		ae.Uint32(attrImageFD, uint32(r.ImageFD))
	}
	encodeCommon(ae, r.LogFD, r.Flags, ms)
	if r.UnlinkedMax != 0 {
		ae.Uint64(attrUnlinkedMax, r.UnlinkedMax)
	}
	for _, kind := range r.AllowLeak {
		ae.String(attrAllowLeak, kind)
	}
	return ae.Encode()
}

func (r *RestartRequest) encode() ([]byte, error) {
	ms, err := millis(r.Timeout)
	if err != nil {
		return nil, err
	}
	ae := netlink.NewAttributeEncoder()
	ae.Uint32(attrImageFD, uint32(r.ImageFD))
	ae.Uint64(attrStreamPos, r.StreamPos)
	ae.Uint32(attrStreamCRC, r.StreamCRC)
	ae.Uint32(attrTasks, uint32(r.Tasks))
	encodeCommon(ae, r.LogFD, r.Flags, ms)
	for _, in := range r.Inherit {
		ae.Nested(attrInherit, func(nae *netlink.AttributeEncoder) error {
			nae.Uint32(inheritObjref, in.Objref)
			nae.Uint32(inheritFD, uint32(in.FD))
			return nil
		})
	}
	return ae.Encode()
}

// encodeCommon adds what both operations have; what is absent is left out.
func encodeCommon(ae *netlink.AttributeEncoder, logFD int, flags, ms uint32) {
	if logFD >= 0 {
		ae.Uint32(attrLogFD, uint32(logFD))
	}
	if flags != 0 {
		ae.Uint32(attrFlags, flags)
	}
	if ms != 0 {
		ae.Uint32(attrTimeoutMs, ms)
	}
}

func encodeStatus(fd int) ([]byte, error) {
	ae := netlink.NewAttributeEncoder()
	ae.Uint32(attrSessionFD, uint32(fd))
	return ae.Encode()
}

// joinMessage builds the JOIN of a process by hand, because who sends it cannot
// run Go any more: netlink header, generic netlink header, two attributes.
func joinMessage(family uint16, fd, pid int) []byte {
	const size = 16 + 4 + 8 + 8
	b := make([]byte, 0, size)
	b = binary.NativeEndian.AppendUint32(b, size)
	b = binary.NativeEndian.AppendUint16(b, family)
	b = binary.NativeEndian.AppendUint16(b, uint16(netlink.Request))
	b = binary.NativeEndian.AppendUint32(b, 1) // sequence
	b = binary.NativeEndian.AppendUint32(b, 0) // port: the kernel binds one
	b = append(b, cmdJoin, genlVersion, 0, 0)
	for _, a := range []struct {
		typ uint16
		v   int
	}{{attrSessionFD, fd}, {attrPID, pid}} {
		b = binary.NativeEndian.AppendUint16(b, 8)
		b = binary.NativeEndian.AppendUint16(b, a.typ)
		b = binary.NativeEndian.AppendUint32(b, uint32(a.v))
	}
	return b
}
