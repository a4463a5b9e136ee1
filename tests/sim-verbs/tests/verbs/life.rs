//! Devices and their traits, and the order in which objects are destroyed.

use core::ptr::null_mut;

use libc::{EBUSY, EINVAL, ENODATA, ENOMEM, EOPNOTSUPP, c_int};
use runtime_rdma::verbs::Library;
use runtime_rdma::verbs::bindings::*;
use sim_verbs::{DEFAULT_DEVICE, Device, GidEntry, LinkLayer, Traits};

use crate::pair::{Path, connect};
use crate::support::{Node, errno, find, tests};

fn port(node: &Node, number: u8) -> Result<ibv_port_attr, c_int> {
    let mut attr = ibv_port_attr::default();
    // SAFETY: the context is open, and it is room for the attributes.
    match unsafe { (node.lib.query_port)(node.context, number, &raw mut attr) } {
        0 => Ok(attr),
        error => Err(error),
    }
}

fn gid(node: &Node, index: u32) -> Result<([u8; 16], u32), c_int> {
    let mut entry = ibv_gid_entry::default();
    let query = node.lib.query_gid_ex.expect("the provider has it");
    let size = size_of::<ibv_gid_entry>();
    // SAFETY: the context is open, and it is room for an entry.
    match unsafe { query(node.context, 1, index, &raw mut entry, 0, size) } {
        // SAFETY: every byte of the union belongs to both of its forms.
        0 => Ok((unsafe { entry.gid.raw }, entry.gid_type)),
        error => Err(error),
    }
}

tests! {
    fn installing_makes_the_default_device_and_can_be_repeated() {
        let device = sim_verbs::install();
        assert_eq!(sim_verbs::install(), device);
        assert_eq!(Device::named(DEFAULT_DEVICE), Some(device));
        assert_eq!(Device::named("no such device"), None);
        let lib = Library::get().expect("the provider is installed");
        assert!(!find(lib, DEFAULT_DEVICE).is_null());
        // SAFETY: it has no conditions.
        assert_eq!(unsafe { (lib.fork_init)() }, 0);
    }

    fn a_device_says_what_its_traits_are() {
        let node = Node::with("traits", Traits { max_srq_wr: 77, max_qp_wr: 66, ..Traits::default() });
        let mut attr = ibv_device_attr::default();
        // SAFETY: the context is open, and it is room for the attributes.
        assert_eq!(unsafe { (node.lib.query_device)(node.context, &raw mut attr) }, 0);
        assert_eq!((attr.max_srq_wr, attr.max_qp_wr, attr.phys_port_cnt), (77, 66, 1));
        let attr = port(&node, 1).expect("there is one");
        assert_eq!((attr.state, attr.active_mtu), (IBV_PORT_ACTIVE, IBV_MTU_4096));
        assert_eq!((u32::from(attr.link_layer), attr.lid, attr.gid_tbl_len), (IBV_LINK_LAYER_ETHERNET, 0, 2));
        assert_eq!(port(&node, 2).err(), Some(EINVAL));
        let address = std::net::Ipv4Addr::LOCALHOST.to_ipv6_mapped().octets();
        assert_eq!(gid(&node, 0), Ok((address, IBV_GID_TYPE_ROCE_V1)));
        assert_eq!(gid(&node, 1), Ok((address, IBV_GID_TYPE_ROCE_V2)));
        assert_eq!(gid(&node, 2), Err(EINVAL));
    }

    fn ports_differ_by_their_traits() {
        let traits = Traits { active_mtu: IBV_MTU_2048, port_up: false, ..Traits::infiniband(9) };
        let node = Node::with("infiniband", traits);
        let attr = port(&node, 1).expect("there is one");
        assert_eq!((attr.state, attr.active_mtu, attr.lid), (IBV_PORT_DOWN, IBV_MTU_2048, 9));
        assert_eq!(u32::from(attr.link_layer), IBV_LINK_LAYER_INFINIBAND);
        let GidEntry { raw, kind } = GidEntry::of_lid(9);
        assert_eq!(gid(&node, 0), Ok((raw, kind)));
        assert_eq!(kind, IBV_GID_TYPE_IB);
    }

    fn an_empty_entry_of_the_table_is_no_address() {
        let [_, v2] = GidEntry::of_ipv4(std::net::Ipv4Addr::new(10, 0, 0, 1));
        let traits = Traits { gids: vec![None, Some(v2)], link_layer: LinkLayer::Ethernet, ..Traits::default() };
        let node = Node::with("empty-gid", traits);
        assert_eq!(gid(&node, 0), Err(ENODATA));
        assert_eq!(gid(&node, 1), Ok((v2.raw, v2.kind)));
        let mut old = ibv_gid { raw: [1; 16] };
        // SAFETY: the context is open, and it is room for an address.
        assert_eq!(unsafe { (node.lib.query_gid)(node.context, 1, 0, &raw mut old) }, 0);
        // SAFETY: every byte of the union belongs to both of its forms.
        assert_eq!(unsafe { old.raw }, [0; 16]);
        // SAFETY: the context is open, and it is room for an address.
        assert_eq!(unsafe { (node.lib.query_gid)(node.context, 1, 5, &raw mut old) }, -1);
        assert_eq!(errno(), EINVAL);
    }

    fn more_than_a_device_can_do_is_refused() {
        let traits = Traits {
            max_inline: 32,
            max_srq_wr: 8,
            max_qp_wr: 8,
            max_cqe: 16,
            max_qp: 1,
            max_mr_size: 1 << 20,
            ..Traits::default()
        };
        let mut node = Node::with("can-do", traits);
        let small = Node::init;
        let cq = node.cq(16);
        // SAFETY: the context is open.
        let cq_of = |entries| unsafe { (node.lib.create_cq)(node.context, entries, null_mut(), null_mut(), 0) };
        for entries in [17, 0, -1] {
            assert!(cq_of(entries).is_null());
            assert_eq!(errno(), EINVAL);
        }
        let mut init = ibv_srq_init_attr::default();
        (init.attr.max_wr, init.attr.max_sge) = (9, 1);
        // SAFETY: the domain is the node's.
        assert!(unsafe { (node.lib.create_srq)(node.pd, &raw mut init) }.is_null());
        assert_eq!(errno(), EINVAL);
        let refused = |change: fn(&mut ibv_qp_init_attr), error| {
            let mut init = small(cq, null_mut());
            init.cap.max_inline_data = 32;
            change(&mut init);
            // SAFETY: the queues are the node's.
            assert!(unsafe { (node.lib.create_qp)(node.pd, &raw mut init) }.is_null());
            assert_eq!(errno(), error);
        };
        refused(|init| init.cap.max_inline_data = 33, EINVAL);
        refused(|init| init.cap.max_send_wr = 9, EINVAL);
        refused(|init| init.cap.max_recv_wr = 9, EINVAL);
        refused(|init| init.cap.max_send_sge = 17, EINVAL);
        refused(|init| init.qp_type = IBV_QPT_UD, EOPNOTSUPP);
        refused(|init| init.send_cq = null_mut(), EINVAL);
        let mut init = Node::init(cq, null_mut());
        init.cap.max_inline_data = 32;
        node.qp_with(&mut init);
        // SAFETY: the queues are the node's.
        assert!(unsafe { (node.lib.create_qp)(node.pd, &raw mut init) }.is_null());
        assert_eq!(errno(), ENOMEM, "one was all it has");
        let place = core::ptr::with_exposed_provenance_mut(node.addr(0) as usize);
        let register = |len, access: u32| {
            // SAFETY: the memory is the node's as far as it goes; more of it is refused.
            unsafe { (node.lib.reg_mr)(node.pd, place, len, access as c_int) }
        };
        assert!(register((1 << 20) + 1, 0).is_null(), "too much");
        assert_eq!(errno(), EINVAL);
        assert!(register(0, 0).is_null(), "nothing");
        assert!(register(8, IBV_ACCESS_REMOTE_WRITE).is_null(), "writable from afar only");
        assert_eq!(errno(), EINVAL);
    }

    fn what_others_are_made_of_is_busy() {
        let mut node = Node::new("busy");
        let channel = node.channel();
        let cq = node.cq_on(8, channel);
        let srq = node.srq(2);
        let qp = node.qp(cq, srq);
        let lib = node.lib;
        // SAFETY: it is refused, so it is there afterwards.
        assert_eq!(unsafe { (lib.destroy_cq)(cq) }, EBUSY);
        // SAFETY: as above.
        assert_eq!(unsafe { (lib.destroy_srq)(srq) }, EBUSY);
        // SAFETY: as above.
        assert_eq!(unsafe { (lib.destroy_comp_channel)(channel) }, EBUSY);
        // SAFETY: as above.
        assert_eq!(unsafe { (lib.dealloc_pd)(node.pd) }, EBUSY);
        // SAFETY: as above.
        assert_eq!(unsafe { (lib.close_device)(node.context) }, -1);
        assert_eq!(errno(), EBUSY);
        let leaks = node.device.leaks();
        assert_eq!((leaks.contexts, leaks.pds, leaks.mrs, leaks.channels), (1, 1, 1, 1));
        assert_eq!((leaks.cqs, leaks.srqs, leaks.qps), (1, 1, 1));
        let all = sim_verbs::leaks();
        assert!(all.qps >= 1 && all.contexts >= 1, "the whole process has no fewer");
        node.destroy_qp(qp);
        assert_eq!(node.device.leaks().qps, 0);
        // The node destroys the rest in order, and finds nothing left.
    }

    fn numbers_are_not_used_again_soon() {
        let mut node = Node::new("numbers");
        let cq = node.cq(8);
        let mut seen = Vec::new();
        for _ in 0..20 {
            let qp = node.qp(cq, null_mut());
            let number = node.number(qp);
            assert!(number < 1 << 24 && !seen.contains(&number));
            seen.push(number);
            node.destroy_qp(qp);
        }
    }

    fn a_context_hears_of_its_own_objects_and_of_the_device() {
        let mut node = Node::new("two-contexts");
        // SAFETY: the device is from the list.
        let other = unsafe { (node.lib.open_device)(find(node.lib, "two-contexts")) };
        let (cq, srq) = (node.cq(8), node.srq(2));
        let (a, b) = (node.qp(cq, srq), node.qp(cq, srq));
        connect((&node, a), (&node, b), Path::default());
        node.to_error(a);
        node.device.set_port(false);
        assert_eq!(node.event(), Some(IBV_EVENT_QP_LAST_WQE_REACHED));
        assert_eq!(node.event(), Some(IBV_EVENT_PORT_ERR));
        let mut event = ibv_async_event::default();
        // SAFETY: the context is open, and it is room for an event.
        assert_eq!(unsafe { (node.lib.get_async_event)(other, &raw mut event) }, 0);
        assert_eq!(event.event_type, IBV_EVENT_PORT_ERR);
        // SAFETY: every event of a port has its number.
        assert_eq!(unsafe { event.element.port_num }, 1);
        // SAFETY: the event was just got.
        unsafe { (node.lib.ack_async_event)(&raw mut event) };
        // SAFETY: the context has no objects, and is not used again.
        assert_eq!(unsafe { (node.lib.close_device)(other) }, 0);
    }
}
