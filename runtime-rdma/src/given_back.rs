//! Which events a client has taken, and what of it the server knows.
//!
//! A note about it needs a buffer at the server, and there are two for them: so at most two are on their way.

/// Notes about events that may be on their way, for each of which the server has a buffer.
pub(crate) const NOTES: usize = 2;

/// Which buffers of events the server has been told to be free.
#[derive(Default)]
pub(crate) struct GivenBack {
    /// Taken since the last note.
    pub(crate) taken: u16,
    /// Events that have arrived, all in all.
    received: u64,
    /// The event window.
    pub(crate) window: u64,
    /// Given back by notes of which the server is known to have read all: it has sent so many events.
    known: u64,
    /// The sizes of the notes on their way, the older one first.
    under_way: [u16; NOTES],
}

impl GivenBack {
    /// With this event window.
    pub(crate) fn new(window: u64) -> Self {
        Self {
            window,
            ..Self::default()
        }
    }

    /// Takes into account that another event has arrived.
    pub(crate) fn arrive(&mut self) {
        self.received += 1;
        // It could be sent only because the notes had been read that it takes credit from.
        while self.received > self.window + self.known && self.under_way[0] != 0 {
            self.known += u64::from(self.under_way[0]);
            self.under_way = [self.under_way[1], 0];
        }
    }

    /// What a note may say now, if one may be sent.
    pub(crate) fn note(&mut self) -> Option<u16> {
        if self.taken == 0 {
            return None;
        }
        let place = self.under_way.iter_mut().find(|it| **it == 0)?;
        *place = self.taken;
        Some(std::mem::take(&mut self.taken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_two_notes_are_under_way() {
        let mut given = GivenBack::new(8);
        for _ in 0..2 {
            given.arrive();
            given.taken += 1;
            assert_eq!(given.note(), Some(1));
        }
        given.arrive();
        given.taken += 1;
        assert_eq!(given.note(), None);
        // The window is used up, so the server can send the next one only with what the first note gave it.
        (0..6).for_each(|_| given.arrive());
        given.taken += 6;
        assert_eq!(given.note(), Some(7));
        assert_eq!(given.note(), None);
    }

    /// Whatever the server knows and when, it never sends more than the window beyond what it was told, and gets all of it back.
    #[test]
    fn credit_is_neither_lost_nor_doubled() {
        for window in [2_u64, 4, 8] {
            let mut given = GivenBack::new(window);
            let (mut credit, mut sent) = (window, 0_u64);
            let mut notes = std::collections::VecDeque::new();
            for step in 0..10_000_u64 {
                // A server that reads its notes late, and a client that takes its events late: by turns that do not repeat soon.
                if credit != 0 && step % 3 != 0 {
                    credit -= 1;
                    sent += 1;
                    given.arrive();
                    given.taken += 1;
                }
                if step % 5 < 2
                    && let Some(note) = given.note()
                {
                    notes.push_back(u64::from(note));
                }
                assert!(notes.len() <= NOTES, "at step {step}");
                if step % 7 == 0
                    && let Some(note) = notes.pop_front()
                {
                    credit += note;
                }
                let known = credit + notes.iter().sum::<u64>() + u64::from(given.taken);
                assert_eq!(known, window, "at step {step}");
            }
            assert!(sent > 1_000, "{sent} events at a window of {window}");
        }
    }
}
