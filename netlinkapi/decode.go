// SPDX-License-Identifier: MIT

package netlinkapi

import (
	"errors"
	"fmt"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
)

// decode runs fn for every attribute of data.
func decode(data []byte, fn func(ad *netlink.AttributeDecoder)) error {
	ad, err := netlink.NewAttributeDecoder(data)
	if err != nil {
		return fmt.Errorf("malformed message of the module: %w", err)
	}
	for ad.Next() {
		fn(ad)
	}
	if err := ad.Err(); err != nil {
		return fmt.Errorf("malformed message of the module: %w", err)
	}
	return nil
}

func decodeCaps(msgs []genetlink.Message) (*Caps, error) {
	caps := &Caps{Kinds: []Kind{}}
	for _, m := range msgs {
		var kind Kind
		err := decode(m.Data, func(ad *netlink.AttributeDecoder) {
			switch ad.Type() {
			case attrVersion:
				caps.Version = ad.String()
			case attrImageVersion:
				caps.ImageVersion = ad.Uint32()
			case attrKernel:
				caps.Kernel = ad.String()
			case attrSymbols:
				caps.Symbols = ad.Uint32()
			case attrKindName:
				kind.Name = ad.String()
			case attrKindStatus:
				kind.Handled = ad.Uint32() == kindHandled
			case attrKindText:
				kind.Text = ad.String()
			}
		})
		if err != nil {
			return nil, err
		}
		if kind.Name != "" {
			caps.Kinds = append(caps.Kinds, kind)
		}
	}
	if caps.Version == "" {
		return nil, errors.New("malformed answer of the module: no version")
	}
	return caps, nil
}

// decodeStats decodes the nested CKPT_A_STATS.
func decodeStats(ad *netlink.AttributeDecoder, s *Stats) {
	ad.Nested(func(nad *netlink.AttributeDecoder) error {
		for nad.Next() {
			switch nad.Type() {
			case statFrozenNs:
				s.FrozenNS = nad.Uint64()
			case statTotalNs:
				s.TotalNS = nad.Uint64()
			case statBytes:
				s.Bytes = nad.Uint64()
			case statTasks:
				s.Tasks = nad.Uint64()
			case statThreads:
				s.Threads = nad.Uint64()
			case statPages:
				s.Pages = nad.Uint64()
			}
		}
		return nad.Err()
	})
}

// status is the answer of STATUS.
type status struct {
	state uint32
	errno int // 0, or a positive errno
	stats Stats
}

func decodeStatus(msgs []genetlink.Message) (*status, error) {
	var s status
	for _, m := range msgs {
		err := decode(m.Data, func(ad *netlink.AttributeDecoder) {
			switch ad.Type() {
			case attrState:
				s.state = ad.Uint32()
			case attrErrno:
				s.errno = -int(ad.Int32())
			case attrStats:
				decodeStats(ad, &s.stats)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	if s.state == 0 {
		return nil, errors.New("malformed answer of the module: no state")
	}
	return &s, nil
}

// decodeSessionFD decodes the answer of CHECKPOINT and RESTART.
func decodeSessionFD(m genetlink.Message) (int, error) {
	fd := -1
	err := decode(m.Data, func(ad *netlink.AttributeDecoder) {
		if ad.Type() == attrSessionFD {
			fd = int(int32(ad.Uint32()))
		}
	})
	if err == nil && fd < 0 {
		err = errors.New("malformed answer of the module: no session")
	}
	return fd, err
}
