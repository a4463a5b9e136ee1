//! The states of a queue pair, and what `ibv_modify_qp` must be given on the way from one to the next.

use libc::{EINVAL, c_int};
use runtime_rdma::verbs::bindings::{
    IBV_QP_ACCESS_FLAGS, IBV_QP_ALT_PATH, IBV_QP_AV, IBV_QP_CUR_STATE, IBV_QP_DEST_QPN,
    IBV_QP_MAX_DEST_RD_ATOMIC, IBV_QP_MAX_QP_RD_ATOMIC, IBV_QP_MIN_RNR_TIMER,
    IBV_QP_PATH_MIG_STATE, IBV_QP_PATH_MTU, IBV_QP_PKEY_INDEX, IBV_QP_PORT, IBV_QP_RETRY_CNT,
    IBV_QP_RNR_RETRY, IBV_QP_RQ_PSN, IBV_QP_SQ_PSN, IBV_QP_STATE, IBV_QP_TIMEOUT, IBV_QPS_ERR,
    IBV_QPS_INIT, IBV_QPS_RESET, IBV_QPS_RTR, IBV_QPS_RTS, ibv_qp_attr, ibv_qp_state,
};

use crate::device::{DeviceState, LinkLayer};
use crate::fabric::Fabric;

/// What a transition of a reliable connection needs and what it may have besides, by the InfiniBand specification's table.
fn attributes(from: ibv_qp_state, to: ibv_qp_state) -> Option<(u32, u32)> {
    Some(match (from, to) {
        (_, IBV_QPS_RESET | IBV_QPS_ERR) => (0, 0),
        (IBV_QPS_RESET, IBV_QPS_INIT) => (IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS, 0),
        (IBV_QPS_INIT, IBV_QPS_INIT) => (0, IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS),
        (IBV_QPS_INIT, IBV_QPS_RTR) => (
            IBV_QP_AV
                | IBV_QP_PATH_MTU
                | IBV_QP_DEST_QPN
                | IBV_QP_RQ_PSN
                | IBV_QP_MAX_DEST_RD_ATOMIC
                | IBV_QP_MIN_RNR_TIMER,
            IBV_QP_ALT_PATH | IBV_QP_ACCESS_FLAGS | IBV_QP_PKEY_INDEX,
        ),
        (IBV_QPS_RTR, IBV_QPS_RTS) => (
            IBV_QP_TIMEOUT
                | IBV_QP_RETRY_CNT
                | IBV_QP_RNR_RETRY
                | IBV_QP_SQ_PSN
                | IBV_QP_MAX_QP_RD_ATOMIC,
            IBV_QP_CUR_STATE
                | IBV_QP_ALT_PATH
                | IBV_QP_ACCESS_FLAGS
                | IBV_QP_MIN_RNR_TIMER
                | IBV_QP_PATH_MIG_STATE,
        ),
        (IBV_QPS_RTS, IBV_QPS_RTS) => (
            0,
            IBV_QP_CUR_STATE
                | IBV_QP_ALT_PATH
                | IBV_QP_ACCESS_FLAGS
                | IBV_QP_MIN_RNR_TIMER
                | IBV_QP_PATH_MIG_STATE,
        ),
        _ => return None,
    })
}

fn require(holds: bool) -> Result<(), c_int> {
    if holds { Ok(()) } else { Err(EINVAL) }
}

/// Whether the device can do what the attributes ask for.
fn check(device: &DeviceState, new: &ibv_qp_attr, mask: u32) -> Result<(), c_int> {
    let has = |bit: u32| mask & bit != 0;
    let psn = |psn: u32| psn < 1 << 24;
    require(!has(IBV_QP_PORT) || new.port_num == 1)?;
    require(!has(IBV_QP_PKEY_INDEX) || new.pkey_index == 0)?;
    require(!has(IBV_QP_PATH_MTU) || (1..=device.traits.active_mtu).contains(&new.path_mtu))?;
    require(!has(IBV_QP_DEST_QPN) || new.dest_qp_num < 1 << 24)?;
    require(!has(IBV_QP_RQ_PSN) || psn(new.rq_psn))?;
    require(!has(IBV_QP_SQ_PSN) || psn(new.sq_psn))?;
    require(!has(IBV_QP_TIMEOUT) || new.timeout < 32)?;
    require(!has(IBV_QP_MIN_RNR_TIMER) || new.min_rnr_timer < 32)?;
    require(!has(IBV_QP_RETRY_CNT) || new.retry_cnt < 8)?;
    require(!has(IBV_QP_RNR_RETRY) || new.rnr_retry < 8)?;
    let most = device.traits.max_rd_atomic;
    require(!has(IBV_QP_MAX_QP_RD_ATOMIC) || new.max_rd_atomic <= most)?;
    require(!has(IBV_QP_MAX_DEST_RD_ATOMIC) || new.max_dest_rd_atomic <= most)?;
    if has(IBV_QP_AV) {
        let ah = &new.ah_attr;
        require(ah.port_num == 1)?;
        if ah.is_global != 0 {
            let gid = device.traits.gids.get(usize::from(ah.grh.sgid_index));
            require(gid.is_some_and(Option::is_some))?;
        }
        match device.traits.link_layer {
            // RoCE has no other address than the GID.
            LinkLayer::Ethernet => require(ah.is_global != 0)?,
            LinkLayer::InfiniBand { .. } => require(ah.dlid != 0)?,
        }
    }
    Ok(())
}

impl Fabric {
    /// What `ibv_modify_qp` does.
    pub(crate) fn modify(&mut self, qpn: u32, new: &ibv_qp_attr, mask: u32) -> Result<(), c_int> {
        let qp = &self.qps[&qpn];
        let from = qp.state;
        let has = |bit: u32| mask & bit != 0;
        require(!has(IBV_QP_CUR_STATE) || new.cur_qp_state == from)?;
        let to = if has(IBV_QP_STATE) {
            new.qp_state
        } else {
            from
        };
        let (needed, allowed) = attributes(from, to).ok_or(EINVAL)?;
        require(mask & needed == needed)?;
        require(mask & !(needed | allowed | IBV_QP_STATE) == 0)?;
        check(&self.devices[qp.device], new, mask)?;
        match to {
            IBV_QPS_ERR => self.put_in_error(qpn),
            IBV_QPS_RESET => self.reset(qpn),
            _ => {
                let qp = self.qp(qpn);
                apply(&mut qp.attr, new, mask);
                qp.state = to;
            }
        }
        Ok(())
    }

    fn reset(&mut self, qpn: u32) {
        self.remove_completions(qpn);
        let qp = self.qp(qpn);
        qp.state = IBV_QPS_RESET;
        qp.attr = ibv_qp_attr::default();
        qp.stalled = false;
        qp.send.reset();
        qp.recv.reset();
        self.look_again = true;
    }
}

fn apply(attr: &mut ibv_qp_attr, new: &ibv_qp_attr, mask: u32) {
    macro_rules! set {
        ($($bit:ident: $field:ident),* $(,)?) => {
            $(if mask & $bit != 0 {
                attr.$field = new.$field;
            })*
        };
    }
    set!(
        IBV_QP_ACCESS_FLAGS: qp_access_flags,
        IBV_QP_PKEY_INDEX: pkey_index,
        IBV_QP_PORT: port_num,
        IBV_QP_AV: ah_attr,
        IBV_QP_PATH_MTU: path_mtu,
        IBV_QP_TIMEOUT: timeout,
        IBV_QP_RETRY_CNT: retry_cnt,
        IBV_QP_RNR_RETRY: rnr_retry,
        IBV_QP_RQ_PSN: rq_psn,
        IBV_QP_MAX_QP_RD_ATOMIC: max_rd_atomic,
        IBV_QP_MIN_RNR_TIMER: min_rnr_timer,
        IBV_QP_SQ_PSN: sq_psn,
        IBV_QP_MAX_DEST_RD_ATOMIC: max_dest_rd_atomic,
        IBV_QP_DEST_QPN: dest_qp_num,
    );
}
