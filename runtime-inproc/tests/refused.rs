//! A service written by hand, which refuses requests without looking at their type: what it leaves in a slot must not answer a later call.

use runtime_core::{
    AbiHash, Arrived, Call, CallError, Client, ClientConfig, Incoming, Method, MethodInfo, NoError,
    Opened, Outcome, Server, ServerConfig, ServerTransport, Service, Tuning,
};

/// More than a line.
type Large = [u64; 16];

#[derive(Debug)]
enum Moody {}

enum Asked<'a, T: ServerTransport> {
    Small(Call<'a, Small, T>),
    Large(Call<'a, LargeOne, T>),
}

enum Said<'a> {
    Small(Result<&'a u64, CallError<NoError>>),
    Large(Result<&'a Large, CallError<NoError>>),
}

impl Service for Moody {
    const NAME: &'static str = "test.Moody";
    const ABI_HASH: AbiHash = AbiHash(1);
    const ABI_TEXT: &'static str = "";
    const METHODS: &'static [MethodInfo] =
        &[MethodInfo::of::<Small>(), MethodInfo::of::<LargeOne>()];
    const TUNING: Tuning = Tuning::DEFAULT;
    type Request<'a, T: ServerTransport>
        = Asked<'a, T>
    where
        T: 'a;
    type Reply<'a> = Said<'a>;
    type Event<'a> = ();

    fn request<'a, T: ServerTransport>(incoming: Incoming<'a, Self, T>) -> Opened<Asked<'a, T>> {
        match incoming.method() {
            Small::ID => incoming.open().map(Asked::Small),
            // Dropped, it is answered all the same.
            LargeOne::ID if MOOD.replace(false) => None,
            LargeOne::ID => incoming.open().map(Asked::Large),
            _ => incoming.unimplemented(),
        }
    }

    fn reply(method: u16, outcome: Outcome<'_, Self>) -> Option<Said<'_>> {
        match method {
            Small::ID => Some(Said::Small(outcome.of::<Small>())),
            _ => Some(Said::Large(outcome.of::<LargeOne>())),
        }
    }

    fn event(_: Arrived<'_, Self>) -> Option<()> {
        None
    }
}

std::thread_local! {
    /// True if the next large request is refused.
    static MOOD: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

enum Small {}

impl Method for Small {
    type Service = Moody;
    type Request = u64;
    type Response = u64;
    type Output = u64;
    type Error = NoError;
    const NAME: &'static str = "small";
    const ID: u16 = 1;
    const INDEX: usize = 0;
}

enum LargeOne {}

impl Method for LargeOne {
    type Service = Moody;
    type Request = Large;
    type Response = Large;
    type Output = Large;
    type Error = NoError;
    const NAME: &'static str = "large";
    const ID: u16 = 2;
    const INDEX: usize = 1;
}

type Ends = (
    Client<Moody, runtime_inproc::Client<Moody>>,
    Server<Moody, runtime_inproc::Server<Moody>>,
);

fn ends() -> Ends {
    let client = ClientConfig {
        window: Some(2),
        ..ClientConfig::default()
    };
    let server = ServerConfig::default();
    let transport =
        runtime_inproc::Server::<Moody>::new(&server).expect("the defaults are possible");
    let end = transport.connector().connect(&client);
    let end = end.expect("a fresh server admits a client");
    (Client::over(end, &client), Server::over(transport, &server))
}

/// Answers what there is, and returns how many replies the client got and how many of them were errors.
fn turn((client, server): &mut Ends) -> (usize, usize) {
    while let Some(asked) = server.recv().expect("the client lives") {
        match asked {
            Asked::Small(call) => {
                let value = call.data() + 1;
                call.reply(value).expect("the client lives");
            }
            Asked::Large(call) => {
                let value = *call.data();
                call.reply(value).expect("the client lives");
            }
        }
    }
    let mut failed = 0;
    let count = client.poll(|(), said| {
        failed += usize::from(matches!(
            said,
            Said::Small(Err(_)) | Said::Large(Err(CallError::Aborted))
        ));
    });
    (count.expect("the server lives"), failed)
}

#[test]
fn a_refusal_answers_no_later_call() {
    let small = |ends: &mut Ends| {
        let sent = ends.0.call::<Small>((), |it| *it = 1);
        sent.expect("there is room");
    };
    let large = |ends: &mut Ends| {
        let sent = ends.0.call::<LargeOne>((), |it| *it = [1; 16]);
        sent.expect("there is room");
    };
    // So many pairs after it bring its slot to the front of the free ones, for one of the numbers.
    for pairs in 0..6 {
        let mut ends = ends();
        small(&mut ends);
        large(&mut ends);
        MOOD.set(true);
        assert_eq!(turn(&mut ends), (2, 1), "one of them was refused");
        for _ in 0..pairs {
            small(&mut ends);
            small(&mut ends);
            assert_eq!(turn(&mut ends), (2, 0));
        }
        for _ in 0..8191 - 2 * pairs {
            small(&mut ends);
            assert_eq!(turn(&mut ends), (1, 0));
        }
        // Of the same generation as the one that was refused, and alone.
        large(&mut ends);
        let count = ends.0.poll(|(), _| ()).expect("the server lives");
        assert_eq!(count, 0, "nobody has answered, after {pairs} pairs");
        assert_eq!(turn(&mut ends), (1, 0));
    }
}
