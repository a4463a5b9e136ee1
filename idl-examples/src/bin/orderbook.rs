//! An exchange for one stock: orders go in 32 deep, and execution reports come out beside the replies.

use std::collections::{BTreeMap, VecDeque};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use idl_examples::orderbook::order_book::{self, ClientOver, Event, Handler, Reply, ServerOver};
use idl_examples::orderbook::{
    BookError, ImmediateOrCancel, Limit, Market, Order, OrderArm, OrderBookEntered, OrderId, Price,
    Quantity, Side,
};
use idl_examples::{Dice, Failure, Laps, Sides, join, serve_until_input_ends};
use runtime_core::{
    Audience, CallError, ClientTransport, EmitError, NoError, Opt, ServerTransport,
};

/// Something that the clients are told.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Report {
    Executed {
        resting: OrderId,
        incoming: OrderId,
        price: Price,
        quantity: Quantity,
    },
    Cancelled {
        order: OrderId,
        quantity: Quantity,
    },
}

struct Resting {
    order: OrderId,
    quantity: Quantity,
}

/// Price, then time. Both the server and the check of its answers are this book.
#[derive(Default)]
struct Book {
    bids: BTreeMap<Price, VecDeque<Resting>>,
    asks: BTreeMap<Price, VecDeque<Resting>>,
    /// Where an order rests.
    places: BTreeMap<OrderId, (Side, Price)>,
    orders: OrderId,
    reports: VecDeque<Report>,
}

impl Book {
    fn side(&mut self, side: Side) -> &mut BTreeMap<Price, VecDeque<Resting>> {
        if side == Side::BUY {
            &mut self.bids
        } else {
            &mut self.asks
        }
    }

    fn best(&self, side: Side) -> Option<Price> {
        if side == Side::BUY {
            self.bids.keys().next_back()
        } else {
            self.asks.keys().next()
        }
        .copied()
    }

    /// Fills an incoming order as far as the other side has something at its limit or better.
    fn fill(
        &mut self,
        incoming: OrderId,
        side: Side,
        limit: Option<Price>,
        wanted: Quantity,
    ) -> Quantity {
        let other = if side == Side::BUY {
            Side::SELL
        } else {
            Side::BUY
        };
        let good = |price: Price| match limit {
            None => true,
            Some(limit) if side == Side::BUY => price <= limit,
            Some(limit) => price >= limit,
        };
        let mut left = wanted;
        while left > 0
            && let Some(price) = self.best(other).filter(|&price| good(price))
            && let Some(level) = self.side(other).get_mut(&price)
        {
            let Some(first) = level.front_mut() else {
                self.side(other).remove(&price);
                continue;
            };
            let quantity = left.min(first.quantity);
            let resting = first.order;
            first.quantity -= quantity;
            left -= quantity;
            if first.quantity == 0 {
                level.pop_front();
                if level.is_empty() {
                    self.side(other).remove(&price);
                }
                self.places.remove(&resting);
            }
            self.reports.push_back(Report::Executed {
                resting,
                incoming,
                price,
                quantity,
            });
        }
        wanted - left
    }

    fn rest(&mut self, order: OrderId, side: Side, price: Price, quantity: Quantity) {
        self.side(side)
            .entry(price)
            .or_default()
            .push_back(Resting { order, quantity });
        self.places.insert(order, (side, price));
    }

    fn take_out(&mut self, order: OrderId) -> Option<Quantity> {
        let (side, price) = self.places.remove(&order)?;
        let level = self.side(side).get_mut(&price)?;
        let at = level.iter().position(|resting| resting.order == order)?;
        let quantity = level.remove(at)?.quantity;
        if level.is_empty() {
            self.side(side).remove(&price);
        }
        Some(quantity)
    }
}

impl Handler for Book {
    fn enter(&mut self, order: &Order) -> Result<OrderBookEntered, BookError> {
        let (side, price, wanted, keep) = match order.arm() {
            OrderArm::Limit(Limit {
                side,
                price,
                quantity,
                ..
            }) => (*side, Some(*price), *quantity, true),
            OrderArm::Market(Market { side, quantity, .. }) => (*side, None, *quantity, false),
            OrderArm::Immediate(ImmediateOrCancel {
                side,
                price,
                quantity,
                ..
            }) => (*side, Some(*price), *quantity, false),
            // The union is closed, so no other reaches the server.
            _ => return Err(BookError::BAD_PRICE),
        };
        if price == Some(0) {
            return Err(BookError::BAD_PRICE);
        }
        if wanted == 0 {
            return Err(BookError::BAD_QUANTITY);
        }
        self.orders += 1;
        let order = self.orders;
        let filled = self.fill(order, side, price, wanted);
        let mut resting = 0;
        if let Some(price) = price.filter(|_| keep && filled < wanted) {
            resting = wanted - filled;
            self.rest(order, side, price, resting);
        }
        Ok(OrderBookEntered {
            order,
            filled,
            resting,
        })
    }

    fn cancel(&mut self, order: OrderId) -> Result<Quantity, BookError> {
        let quantity = self.take_out(order).ok_or(BookError::UNKNOWN_ORDER)?;
        self.reports
            .push_back(Report::Cancelled { order, quantity });
        Ok(quantity)
    }

    fn amend(&mut self, order: OrderId, price: Price, quantity: Quantity) -> Result<(), BookError> {
        if quantity == 0 {
            return Err(BookError::BAD_QUANTITY);
        }
        let &(side, old) = self.places.get(&order).ok_or(BookError::UNKNOWN_ORDER)?;
        let crosses = match side {
            Side::BUY => self.best(Side::SELL).is_some_and(|ask| price >= ask),
            _ => self.best(Side::BUY).is_some_and(|bid| price <= bid),
        };
        if price == 0 || crosses {
            return Err(BookError::BAD_PRICE);
        }
        let level = self.side(side).get_mut(&old).into_iter().flatten();
        if let Some(resting) = level.into_iter().find(|resting| resting.order == order)
            && price == old
            && quantity <= resting.quantity
        {
            resting.quantity = quantity;
            return Ok(());
        }
        self.take_out(order);
        self.rest(order, side, price, quantity);
        Ok(())
    }

    fn top(&mut self, bid: &mut Opt<Price>, ask: &mut Opt<Price>) {
        bid.set(self.best(Side::BUY));
        ask.set(self.best(Side::SELL));
    }
}

/// Answers, and sends the reports. One that a client has no room for yet is sent later: none may be lost.
fn serve<T: ServerTransport>(mut server: ServerOver<T>) -> Result<(), Failure> {
    let mut book = Book::default();
    while server
        .wait(Duration::from_millis(if book.reports.is_empty() {
            1000
        } else {
            1
        }))
        .is_ok()
    {
        let _ = server.poll(&mut book, 8);
        while let Some(&report) = book.reports.front() {
            let sent = match report {
                Report::Executed {
                    resting,
                    incoming,
                    price,
                    quantity,
                } => server.executed(Audience::All, resting, incoming, price, quantity),
                Report::Cancelled { order, quantity } => {
                    server.cancelled(Audience::All, order, quantity)
                }
            };
            // There is one client, so it cannot be that some got the report and others did not.
            if matches!(sent, Err(EmitError::WouldBlock { .. })) {
                break;
            }
            book.reports.pop_front();
        }
    }
    Ok(())
}

/// What a trader does.
#[derive(Clone, Copy)]
enum Action {
    Enter(Order),
    Cancel(OrderId),
    Amend(OrderId, Price, Quantity),
}

fn actions(count: usize) -> Vec<Action> {
    let mut dice = Dice(2024);
    let action = |_| {
        let side = if dice.below(2) == 0 {
            Side::BUY
        } else {
            Side::SELL
        };
        // Buyers mostly bid below 1000 and sellers ask above, so that the book has something in it.
        let price = if side == Side::BUY {
            960 + dice.below(45)
        } else {
            996 + dice.below(45)
        };
        let quantity = 1 + dice.below(90) as Quantity;
        match dice.below(10) {
            0 => Action::Enter(Order::market(&Market {
                quantity,
                side,
                ..Market::default()
            })),
            1 => Action::Enter(Order::immediate(&ImmediateOrCancel {
                price,
                quantity,
                side,
                ..Default::default()
            })),
            2 => Action::Cancel(1 + dice.below(count as u64)),
            3 => Action::Amend(1 + dice.below(count as u64), price, quantity),
            _ => Action::Enter(Order::limit(&Limit {
                price,
                quantity,
                side,
                ..Limit::default()
            })),
        }
    };
    (0..count).map(action).collect()
}

/// An answer to any of them.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Answer {
    Entered(OrderBookEntered),
    Cancelled(Quantity),
    Amended,
    Refused(BookError),
}

/// An answer as the book gives it.
fn ask(book: &mut Book, action: Action) -> Answer {
    let answer = match action {
        Action::Enter(order) => book.enter(&order).map(Answer::Entered),
        Action::Cancel(order) => book.cancel(order).map(Answer::Cancelled),
        Action::Amend(order, price, quantity) => {
            book.amend(order, price, quantity).map(|()| Answer::Amended)
        }
    };
    answer.unwrap_or_else(Answer::Refused)
}

/// An answer as it comes with a reply; an error that is not the book's ends the example.
fn answer(reply: Reply<'_>) -> Result<Answer, CallError<NoError>> {
    let answer = match reply {
        Reply::Enter(entered) => entered.map(|&entered| Answer::Entered(entered)),
        Reply::Cancel(quantity) => quantity.map(|&quantity| Answer::Cancelled(quantity)),
        Reply::Amend(amended) => amended.map(|_| Answer::Amended),
        Reply::Top(_) => Err(CallError::Unimplemented),
    };
    match answer {
        Ok(answer) => Ok(answer),
        Err(CallError::Service(error)) => Ok(Answer::Refused(error)),
        Err(CallError::Timeout) => Err(CallError::Timeout),
        Err(_) => Err(CallError::Aborted),
    }
}

/// The client, over any transport.
fn call<T: ClientTransport>(mut client: ClientOver<T, usize>) -> Result<(), Failure> {
    assert_eq!(client.window(), 32, "the schema says how deep");
    let actions = actions(20_000);
    let mut answers = vec![None; actions.len()];
    let mut reports = Vec::new();
    let mut laps = Laps::default();
    for (batch, chunk) in actions.chunks(1000).enumerate() {
        let first = batch * 1000;
        laps.time_many(chunk.len() as u64, || -> Result<(), Failure> {
            let (mut sent, mut got) = (0, 0);
            while got < chunk.len() {
                // As many as the window takes; a refused one is tried again after the next replies.
                while let Some(&action) = chunk.get(sent) {
                    let call = match action {
                        Action::Enter(order) => client.enter(&order, first + sent),
                        Action::Cancel(order) => client.cancel(order, first + sent),
                        Action::Amend(order, price, quantity) => {
                            client.amend(order, price, quantity, first + sent)
                        }
                    };
                    if call.is_err() {
                        break;
                    }
                    sent += 1;
                }
                let delivered =
                    client.poll(|number, reply| answers[number] = Some(answer(reply)))?;
                let noted = client.poll_events(|event| reports.push(report(event)))?;
                got += delivered;
                if delivered + noted == 0 {
                    client.wait(Duration::from_secs(1))?;
                }
            }
            Ok(())
        })?;
    }
    let top = client.blocking().top()?;
    let empty = client.blocking().enter(&Order::market(&Market::default()));
    assert_eq!(
        empty.err(),
        Some(CallError::Service(BookError::BAD_QUANTITY))
    );

    // The same on a book of our own has to give the same answers and the same reports, in the same order.
    let mut book = Book::default();
    for (&action, answer) in actions.iter().zip(answers) {
        assert_eq!(answer, Some(Ok(ask(&mut book, action))));
    }
    while reports.len() < book.reports.len() {
        assert!(client.wait(Duration::from_secs(2))?, "a report is missing");
        client.poll_events(|event| reports.push(report(event)))?;
    }
    assert!(book.reports.iter().eq(&reports));
    assert_eq!(
        (top.bid.get(), top.ask.get()),
        (
            book.best(Side::BUY).as_ref(),
            book.best(Side::SELL).as_ref()
        )
    );

    let bid = top.bid.get().copied().unwrap_or_default();
    let ask = top.ask.get().copied().unwrap_or_default();
    println!(
        "orderbook: {} actions, {} reports, now {bid} bid and {ask} asked",
        actions.len(),
        reports.len()
    );
    println!("orderbook: 32 in flight, {laps}");
    Ok(())
}

fn report(event: Event<'_>) -> Report {
    match event {
        Event::Executed(event) => Report::Executed {
            resting: event.resting,
            incoming: event.incoming,
            price: event.price,
            quantity: event.quantity,
        },
        Event::Cancelled(event) => Report::Cancelled {
            order: event.order,
            quantity: event.quantity,
        },
    }
}

/// Over the in-process backend: the server on a thread, which ends with its last client.
fn threads() -> Result<(), Failure> {
    let (client, server) = order_book::inproc::pair()?;
    let thread = thread::spawn(move || serve(server));
    call(client)?;
    join(thread)
}

/// Over shared memory: a process that serves a name until it is told to stop.
fn server(name: &str) -> Result<(), Failure> {
    let server = order_book::shm::Server::bind(name)?;
    let stopper = server.transport().stopper();
    serve_until_input_ends(name, move || stopper.stop());
    serve(server)
}

/// And another one that knows the name.
fn client(name: &str) -> Result<(), Failure> {
    call(order_book::shm::Client::connect(name)?)
}

fn main() -> ExitCode {
    let sides = Sides {
        example: "orderbook",
        threads,
        server,
        client,
        nodes: None,
    };
    sides.run()
}
